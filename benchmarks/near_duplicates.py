"""How many copies are found, and how many look-alikes are taken for copies?

    python benchmarks/near_duplicates.py FOLDER... [--sample data/sample] [--originals 60] [--json FILE]

Plants copies of each kind beside their originals and beside other pictures, and runs the pool's own
stages from files to rejects. Of the pictures named (sorted by path) every second one is for choosing
the threshold, the others are reported on, as is the sample, on which nothing was chosen.
`hash` is a rule by perceptual hash alone with the limit that serves it best on the first half. A limit
serves best where recall less false alarms is greatest. A photo into which another thing was pasted is
neither a copy of the bare one nor another picture: such pairs are counted by themselves (`pasted`).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from pipeline.config import Config, RunnerSettings
from pipeline.errors import MediaError
from pipeline.media.copies import compare
from pipeline.media.decode import read_image
from pipeline.media.frames import FrameStore
from pipeline.media.videos import open_video
from pipeline.media.views import view_of
from pipeline.models.protocols import Picture
from pipeline.runners.local import LocalRunner
from pipeline.seed_pool.benchmarks import Benchmark
from pipeline.seed_pool.candidates import candidates, frames_of
from pipeline.seed_pool.copy_search import CopySearch
from pipeline.seed_pool.looking import looking
from pipeline.seed_pool.measure import PLACE
from pipeline.seed_pool.probe import probing
from pipeline.seed_pool.scenes import SplitSettings, scenes
from pipeline.stage import Step, live, numbered
from tests.media.edits import EDITS

CONFIG = Config()
LIMITS = CONFIG.seed_pool.duplicates
MIN_SIDE_PX = 120
AGREEMENTS = [x / 20 for x in range(6, 20)]
BITS = range(25)
RATE, CLIP_S, SIZE = 12, 8, (320, 240)
PASTED = "thing on a ground"
Frames = list[Picture]


class Silent:
    """A Progress that says nothing."""

    def begin(self, stages: Sequence[str], rows: int) -> None: ...
    def advance(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None: ...
    def end(self) -> None: ...


RUN, SILENT = LocalRunner(RunnerSettings(kind="local")), Silent()


def reading(store: FrameStore) -> list[Step]:
    split = SplitSettings(store, CONFIG.seed_pool.scenes)
    return [probing(store), scenes(split), looking(store, None)]


class Folder:
    """Media below one folder, read as a pool's are."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root, self.store = root, FrameStore(cache, root, CONFIG.frames)
        root.mkdir(parents=True, exist_ok=True)

    def table(self) -> pa.Table:
        names = sorted(p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())
        rows = numbered(pa.table({"uri": names}))
        return live(pa.concat_tables(RUN.map(reading(self.store), rows, SILENT)))

    def search(self) -> CopySearch:
        return CopySearch(RUN, self.store, reading, LIMITS, self.root.parent / "work", "bench", SILENT)


# Pictures


def pictures_of(folders: Sequence[Path]) -> list[Picture]:
    """Pictures of at least MIN_SIDE_PX a side, sorted by path."""
    found = []
    for path in sorted(p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in {".png", ".jpg"}):
        try:
            picture = read_image(path, CONFIG.frames)
        except MediaError:
            continue
        if min(picture.shape[:2]) >= MIN_SIDE_PX:
            found.append(picture)
    return found


def pasted(thing: Picture, background: Picture, rng: np.random.Generator) -> Image.Image:
    """A thing (what is not white of a picture) somewhere before a background."""
    shown = Image.fromarray(background)
    side = 0.6 * min(shown.size) * rng.uniform(0.8, 1.2)
    scale = side / max(thing.shape[:2])
    small = Image.fromarray(thing).resize(
        (max(1, round(thing.shape[1] * scale)), max(1, round(thing.shape[0] * scale)))
    )
    small = small.rotate(rng.uniform(-12, 12), expand=True, fillcolor="white")
    mask = Image.fromarray((np.asarray(small).min(axis=2) < 245).astype(np.uint8) * 255)
    room = (max(1, shown.width - small.width), max(1, shown.height - small.height))
    shown.paste(small, (int(rng.integers(room[0])), int(rng.integers(room[1]))), mask)
    return shown


def planted_pictures(pictures: Sequence[Picture], originals: int, folder: Path) -> None:
    """`original/i`, `<kind>/i` of the first ones, and look-alikes: other pictures, and one thing before two grounds."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(pictures)).tolist()
    for number, i in enumerate(order):
        kinds = ["original", *EDITS] if number < originals else ["other"]
        for kind in kinds:
            shown = Image.fromarray(pictures[i])
            save(EDITS[kind](shown) if kind in EDITS else shown, folder / kind / f"{number:04d}.png")
    busiest = sorted(range(len(order)), key=lambda n: -float(pictures[order[n]].astype(np.float32).std()))
    grounds = busiest[: max(4, len(pictures) // 10)]
    for number in range(min(originals, len(pictures))):
        for ground in rng.choice(grounds, 2, replace=False):
            shown = pasted(pictures[order[number]], pictures[order[ground]], rng)
            save(shown, folder / PASTED / f"{number:04d}-{ground:04d}.png")


def save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


# Clips


def pan(picture: Picture, seconds: float = CLIP_S + 2) -> Frames:
    """A camera that moves across a picture."""
    image = Image.fromarray(picture)
    scale = max(1.5 * SIZE[0] / image.width, 1.2 * SIZE[1] / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    steps = round(seconds * RATE)
    x, y = (np.linspace(0, side - window, steps) for side, window in zip(image.size, SIZE, strict=True))
    boxes = [(int(a), int(b), int(a) + SIZE[0], int(b) + SIZE[1]) for a, b in zip(x, y, strict=True)]
    return [np.asarray(image.crop(box)) for box in boxes]


def filmed(path: Path, seconds: float = CLIP_S + 2) -> Frames:
    """The first seconds of a video, RATE frames a second."""
    frames: Frames = []
    with open_video(path, CONFIG.frames) as video:
        for frame in video.frames():
            if frame.time_s > seconds:
                break
            if frame.time_s * RATE >= len(frames):
                shown = Image.fromarray(frame.picture(CONFIG.frames.max_side_px))
                frames.append(np.asarray(shown.resize((shown.width // 2 * 2, shown.height // 2 * 2))))
    return frames


def edited(name: str) -> Callable[[Frames], Frames]:
    def edit(frames: Frames) -> Frames:
        made = (EDITS[name](Image.fromarray(f)) for f in frames[: CLIP_S * RATE])
        return [np.asarray(m.resize((m.width // 2 * 2, m.height // 2 * 2))) for m in made]

    return edit


CLIPS: dict[str, Callable[[Frames], Frames]] = {
    "re-encode": lambda f: f[: CLIP_S * RATE],
    "rescale": edited("rescale"),
    "shift 2 s": lambda f: f[2 * RATE :],
    "shift 1.5 s": lambda f: f[3 * RATE // 2 : 3 * RATE // 2 + CLIP_S * RATE],
    "trim to 4 s": lambda f: f[2 * RATE : 6 * RATE],
    "crop 10 %": edited("crop 10 %"),
    "caption bar": edited("caption bar"),
    "mirror": edited("mirror"),
}


def write_clip(frames: Frames, path: Path, crf: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.thread_count = 1
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode())


def planted_clips(clips: Sequence[Frames], others: Sequence[Frames], folder: Path) -> None:
    for number, frames in enumerate(clips):
        write_clip(frames[: CLIP_S * RATE], folder / "original" / f"{number:04d}.mp4", 18)
        for kind, edit in CLIPS.items():
            write_clip(edit(frames), folder / kind / f"{number:04d}.mp4", 32 if kind == "re-encode" else 23)
    for number, frames in enumerate(others):
        write_clip(frames[: CLIP_S * RATE], folder / "other" / f"{number:04d}.mp4", 23)


# Measuring


@dataclass(frozen=True)
class Asset:
    """What a file of the planted pool shows. ground: the number of the picture a thing was pasted into."""

    kind: str
    number: str
    ground: str | None

    @property
    def innocent(self) -> bool:
        return self.kind in {"original", "other", PASTED}


def asset_of(uri: str) -> Asset:
    kind, name = uri.split("/")
    number, dash, ground = name.split(".")[0].partition("-")
    return Asset(kind, number, ground if dash else None)


def relation(first: Asset, second: Asset) -> str:
    """copy, pasted (one photo, with and without another thing in it), or other."""
    if first.ground is None and second.ground is None:
        return "copy" if first.number == second.number else "other"
    return "pasted" if (first.ground or first.number) == (second.ground or second.number) else "other"


def assets_of(pool: pa.Table) -> list[Asset]:
    return [asset_of(uri) for uri in pool.column("uri").to_pylist()]


def hash_bits(hashes: Sequence[Sequence[int]], others: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """The bits from which on hashes alone call two assets copies, int64 [N, M]: half of the frames of each
    then have a frame of the other that near."""
    ours, theirs = ([np.array(h, "<u8") for h in side] for side in (hashes, others))
    result = np.zeros((len(ours), len(theirs)), np.int64)
    if all(len(h) == 1 for h in (*ours, *theirs)):
        return np.asarray(np.bitwise_count(np.concatenate(ours)[:, None] ^ np.concatenate(theirs)[None]), np.int64)
    for i, one in enumerate(ours):
        for j, other in enumerate(theirs):
            bits = np.bitwise_count(one[:, None] ^ other[None])
            halves = [np.sort(bits.min(axis=k))[(bits.shape[1 - k] - 1) // 2] for k in (0, 1)]
            result[i, j] = max(halves)
    return result


Pair = tuple[int, int]


def recall_and_alarms(assets: Sequence[Asset], kind: str, found: Sequence[Pair]) -> tuple[float, ...]:
    """Share of the copies of a kind that were tied to their original; share of the innocent assets that were
    tied to another picture; the same for pasted ones; and precision, the share of copies among the pairs of copies and
    of other pictures. Pairs with copies of other kinds are not looked at."""
    seen: dict[str, set[int]] = {"copy": set(), "other": set(), "pasted": set()}
    pairs = dict.fromkeys(seen, 0)
    for pair in found:
        one, other = (assets[i] for i in pair)
        if {one.kind, other.kind} <= {"original", "other", PASTED, kind}:
            seen[relation(one, other)] |= {i for i in pair if assets[i].kind == kind or assets[i].innocent}
            pairs[relation(one, other)] += 1
    copies = {i for i, a in enumerate(assets) if a.kind == kind}
    innocent = {i for i, a in enumerate(assets) if a.innocent}
    shares = (len(seen[name] & innocent) / len(innocent) for name in ("other", "pasted"))
    precision = pairs["copy"] / max(1, pairs["copy"] + pairs["other"])
    return (len(seen["copy"] & copies) / max(1, len(copies)), *shares, precision)


def mean_over_kinds(assets: Sequence[Asset], found: Sequence[Pair]) -> tuple[float, float]:
    rows = np.array([recall_and_alarms(assets, kind, found)[:2] for kind in EDITS])
    return float(rows[:, 0].mean()), float(rows[:, 1].mean())


def choose(folder: Folder, pool: pa.Table) -> dict[str, Any]:
    """Recall and false alarms of each threshold on the half that is for choosing."""
    views = [view_of(folder.store.get(**row).frames[0]) for row in pool.select(list(PLACE)).to_pylist()]
    assets = assets_of(pool)
    scored: dict[Pair, float] = {}
    for kind in EDITS:  # candidates are few for each frame: one kind at a time, as they are reported
        rows = [i for i, a in enumerate(assets) if a.innocent or a.kind == kind]
        left, right = candidates(frames_of(pool.take(rows)), None, LIMITS)
        pairs = [(rows[i], rows[j]) for i, j in zip(left.tolist(), right.tolist(), strict=True)]
        scored |= {p: compare(views[p[0]], views[p[1]], LIMITS.min_overlap).agreement for p in pairs if p not in scored}
    hashes = pool.column("fingerprints").to_pylist()
    first, second = np.nonzero(np.triu(hash_bits(hashes, hashes) <= BITS[-1], 1))
    bits = hash_bits(hashes, hashes)
    tables: dict[str, list[dict[str, float]]] = {"min_agreement": [], "max_hamming_bits": []}
    for limit in AGREEMENTS:
        recall, alarms = mean_over_kinds(assets, [p for p, score in scored.items() if score >= limit])
        tables["min_agreement"].append({"limit": limit, "recall": recall, "false_alarms": alarms})
    for limit in BITS:
        near = [(i, j) for i, j in zip(first.tolist(), second.tolist(), strict=True) if bits[i, j] <= limit]
        recall, alarms = mean_over_kinds(assets, near)
        tables["max_hamming_bits"].append({"limit": limit, "recall": recall, "false_alarms": alarms})
    best = {n: max(t, key=lambda r: r["recall"] - r["false_alarms"])["limit"] for n, t in tables.items()}
    return {"tables": tables, "best": best}


def rejected_pairs(folder: Folder, pool: pa.Table) -> list[Pair]:
    """(copy, what the reject names) by the pool step, as rows of `pool`."""
    verdicts = folder.search().duplicates(pool).to_pylist()
    rows = {uri: i for i, uri in enumerate(pool.column("uri").to_pylist())}
    return [(i, rows[named(v["detail"])]) for i, v in enumerate(verdicts) if v is not None]


def named(detail: str) -> str:
    """The URI in a reject's detail."""
    return detail.removeprefix("looks like ").removeprefix("same bytes as ").split(": ")[0].split(" at ")[0]


def measure(folder: Folder, kinds: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """A pool of originals, others, and copies of one kind at a time."""
    whole, rows = folder.table(), []
    for kind in kinds:
        pool = whole.filter(pa.array([a.innocent or a.kind == kind for a in assets_of(whole)]))
        assets, hashes = assets_of(pool), pool.column("fingerprints").to_pylist()
        first, second = np.nonzero(np.triu(hash_bits(hashes, hashes) <= limit, 1))
        row: dict[str, Any] = {"kind": kind, "copies": sum(a.kind == kind for a in assets)}
        for name, found in (
            ("ours", rejected_pairs(folder, pool)),
            ("hash", [*zip(first.tolist(), second.tolist(), strict=True)]),
        ):
            figures = recall_and_alarms(assets, kind, found)
            row |= {f"{name}_{n}": v for n, v in zip(("recall", "alarms", "pasted", "precision"), figures, strict=True)}
        rows.append(row)
    return rows


def decontaminate(folder: Folder, kinds: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """The originals as a benchmark, everything else as a pool: share of each kind that is dropped, and precision:
    the share of its copies among what is dropped of them and of pictures that are no copies."""
    search = folder.search()
    exclusions = search.read(Benchmark("bench", folder.root / "original"))
    whole = folder.table()
    pool = whole.filter(pa.array([a.kind != "original" for a in assets_of(whole)]))
    ours = [v is not None for v in search.exclude(pool, exclusions).to_pylist()]
    search.forget()
    theirs = live(exclusions[0].table).column("fingerprints").to_pylist()
    bits = hash_bits(pool.column("fingerprints").to_pylist(), theirs).min(axis=1, initial=64)
    originals = {a.number for a in assets_of(whole) if a.kind == "original"}
    groups: dict[str, list[tuple[bool, bool]]] = {kind: [] for kind in kinds}
    for asset, dropped, least in zip(assets_of(pool), ours, bits.tolist(), strict=True):
        kind = asset.kind if asset.ground not in originals else f"{PASTED} of it"
        groups.setdefault(kind, []).append((dropped, least <= limit))
    shares = {kind: np.mean(rows, axis=0).tolist() for kind, rows in groups.items() if rows}
    innocent = [row for kind in ("other", PASTED) for row in groups.get(kind, [])]
    table = []
    for kind, share in shares.items():
        row = {"kind": kind, "assets": len(groups[kind]), "ours": share[0], "hash": share[1]}
        for k, name in enumerate(("ours_precision", "hash_precision") if kind in kinds else ()):
            right, wrong = (sum(r[k] for r in rows) for rows in (groups[kind], innocent))
            row[name] = right / max(1, right + wrong)
        table.append(row)
    return table


def print_rows(title: str, rows: Sequence[dict[str, Any]]) -> None:
    sys.stdout.write(f"\n{title}\n")
    names = list(rows[0])
    for row in [dict(zip(names, names, strict=True)), *rows]:
        cells = [f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()]
        sys.stdout.write("  ".join(f"{c:>14}" if k else f"{c:22}" for k, c in enumerate(cells)) + "\n")
    sys.stdout.flush()


def sets_of(args: argparse.Namespace) -> Iterator[tuple[str, list[Picture], list[Frames], list[Frames]]]:
    """(name, pictures, clips, other clips): the half for choosing first."""
    pictures = pictures_of(args.folders)
    for name, part in (("chosen on", pictures[::2]), ("reported", pictures[1::2])):
        wide = sorted(part, key=lambda p: -p.shape[0] * p.shape[1])[: 2 * args.clips]
        yield name, part, [pan(p) for p in wide[::2]], [pan(p) for p in wide[1::2]]
    if args.sample is not None:
        films = [filmed(p) for p in sorted((args.sample / "videos").iterdir())]
        films = [f for f in films if len(f) >= CLIP_S * RATE // 2]
        yield "sample", pictures_of([args.sample / "images"]), films[::2], films[1::2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="of pictures that are not of the sample")
    parser.add_argument("--sample", type=Path, default=None, help="reported on, never used for choosing")
    parser.add_argument("--originals", type=int, default=60, help="pictures of each half that copies are made of")
    parser.add_argument("--clips", type=int, default=8, help="clips of each half that copies are made of")
    parser.add_argument("--json", type=Path, default=None, help="write the figures here")
    args = parser.parse_args()

    result: dict[str, Any] = {}
    bits = 0
    for name, pictures, clips, others in sets_of(args):
        with tempfile.TemporaryDirectory() as temporary:
            stills = Folder(Path(temporary) / "pictures", Path(temporary) / "cache")
            planted_pictures(pictures, args.originals, stills.root)
            if name == "chosen on":
                result["choice"] = choose(stills, stills.table())
                for setting, rows in result["choice"]["tables"].items():
                    print_rows(f"{setting}, on the half that is for choosing", rows)
                bits = result["choice"]["best"]["max_hamming_bits"]
                best = result["choice"]["best"]["min_agreement"]
                sys.stdout.write(f"best: {best} (the default is {LIMITS.min_agreement}); hash alone {bits} bits\n")
                continue
            films = Folder(Path(temporary) / "clips", Path(temporary) / "cache")
            planted_clips(clips, others, films.root)
            figures = {
                "near duplicates, pictures": measure(stills, list(EDITS), bits),
                "near duplicates, clips": measure(films, list(CLIPS), bits),
                "decontamination, pictures": decontaminate(stills, list(EDITS), bits),
                "decontamination, clips": decontaminate(films, list(CLIPS), bits),
            }
            for title, rows in figures.items():
                print_rows(f"{title} ({name})", rows)
            result[name] = figures
    if args.json is not None:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
