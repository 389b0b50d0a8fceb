"""Our stages beside Data-Juicer's matching operators, on the same files, one after the other on this machine.

    make bench-data-juicer
    python benchmarks/data_juicer.py --peer .venv-data-juicer [--only cuts] [--images 300] [--json FILE]

`--peer` is an environment with requirements/data-juicer.txt. Limits are the same on both sides where both have them;
all else is each one's default. Seconds are, of ours, those of the stages; of Data-Juicer those beyond what the faster
of two runs over one file takes (its imports and workers), which stands in the last column. Processor seconds count all
processes. Ratios are Data-Juicer's over ours.

    sizes    resolution, aspect ratio, length: who is kept; and on the same pictures, how long finding copies takes
    motion   clips that stand still, and clips that move
    cuts     precision, recall, F1 on the clips of scene_cuts.py; Data-Juicer writes a file a scene, ours samples frames
    copies   planted copies of near_duplicates.py, a kind at a time, beside their originals and other media. A copy
             is found when not both it and its original stay; a false alarm is a medium of which nothing stays
    hostile  files of tests/media/odd_files.py, listed after 40 good ones, and a FIFO; limits that let all sizes pass
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import data_juicer_media as media
from data_juicer_hostile import hostile_rows
from data_juicer_media import Files
from data_juicer_ours import OurRun, Ours
from data_juicer_peer import Operators, Peer, PeerRun
from near_duplicates import print_rows
from scene_cuts import FPS, KINDS, Clip, matches, score

from pipeline.config import FrameSettings, QualitySettings

Rows = list[dict[str, Any]]
COPY_REASONS = {"duplicate", "near_duplicate"}
RATIO = {"min_ratio": f"1/{media.MAX_ASPECT_RATIO}", "max_ratio": f"{media.MAX_ASPECT_RATIO}/1"}
SIDES = {"min_width": media.MIN_SIDE_PX, "min_height": media.MIN_SIDE_PX}
PICTURE_SIZES: Operators = [
    {"image_shape_filter": SIDES},
    {"image_aspect_ratio_filter": {"min_ratio": 1 / media.MAX_ASPECT_RATIO, "max_ratio": media.MAX_ASPECT_RATIO}},
]
VIDEO_SIZES: Operators = [
    {"video_resolution_filter": SIDES},
    {"video_aspect_ratio_filter": RATIO},
    {"video_duration_filter": {"max_duration": media.MAX_DURATION_S, "video_backend": "av"}},
]
BY_HASH: Operators = [{"image_deduplicator": {"method": "phash"}}]
BY_PACKETS: Operators = [{"video_deduplicator": {}}]
LIMITS = QualitySettings(
    min_width_px=media.MIN_SIDE_PX,
    min_height_px=media.MIN_SIDE_PX,
    max_aspect_ratio=media.MAX_ASPECT_RATIO,
    min_pixels=1,
)
FRAMES = FrameSettings(max_duration_s=media.MAX_DURATION_S)


@dataclass(frozen=True)
class Both:
    """The two sides, and the folder in which all files are made."""

    ours: Ours
    peer: Peer
    sample: Path
    root: Path

    def compare(
        self, name: str, kind: Literal["images", "videos"], files: Files, operators: Operators, ours: OurRun
    ) -> tuple[PeerRun, dict[str, Any]]:
        """Data-Juicer's run over the same files, and a line of the first table."""
        one = dict(list(files.items())[:1])
        starts = [self.peer.run(f"{name}, one file, {n}", kind, one, operators) for n in range(2)]
        theirs = self.peer.run(name, kind, files, operators)
        start_s = min(run.wall_s for run in starts)
        wall_s, cpu_s = theirs.wall_s - start_s, theirs.cpu_s - min(run.cpu_s for run in starts)
        return theirs, {
            "what": name,
            "files": len(files),
            "kept": len(ours.kept),
            "DJ kept": len(theirs.kept),
            "same": sum((f in ours.kept) == (f in theirs.kept) for f in files) / len(files),
            "wall s": ours.wall_s,
            "DJ wall s": wall_s,
            "ratio": wall_s / ours.wall_s,
            "CPU s": ours.cpu_s,
            "DJ CPU s": cpu_s,
            "CPU ratio": cpu_s / ours.cpu_s,
            "DJ start s": start_s,
        }


def sizes(both: Both, args: argparse.Namespace) -> dict[str, Rows]:
    shown = media.pictures(both.sample, both.root / "pictures", args.images)
    films = media.videos(both.sample, both.root / "videos")
    judged, lasting = both.ours.sizes(shown, LIMITS, FRAMES), both.ours.sizes(films, LIMITS, FRAMES)
    _, first = both.compare("picture sizes", "images", shown, PICTURE_SIZES, judged)
    _, second = both.compare("video sizes", "videos", films, VIDEO_SIZES, lasting)
    _, third = both.compare("picture copies", "images", shown, BY_HASH, both.ours.duplicates(shown))
    return {"files": [first, second, third]}


def motion(both: Both, args: argparse.Namespace) -> dict[str, Rows]:
    files = media.motion(both.sample, both.root / "motion", args.clips)
    ours = both.ours.motion(files)
    theirs, row = both.compare("motion", "videos", files, [{"video_motion_score_filter": {}}], ours)
    kinds = []
    for kind in (*media.STILL, *media.MOVING):
        of = [name for name in files if name.split("/")[0] == kind]
        dropped = {"dropped": sum(n not in ours.kept for n in of), "DJ dropped": sum(n not in theirs.kept for n in of)}
        kinds.append({"clips": kind, "to drop": kind in media.STILL, "of": len(of), **dropped})
    return {"files": [row], "motion": kinds}


def cuts(both: Both, args: argparse.Namespace) -> dict[str, Rows]:
    clips = media.cuts(both.sample, both.root / "cuts", args.clips)
    files = {path.name: path for path, _ in clips}
    ours = both.ours.cuts(files)
    split: Operators = [{"video_split_by_scene_mapper": {"save_dir": str(both.peer.work / "scenes")}}]
    theirs, row = both.compare("scene cuts", "videos", files, split, ours)
    found = {name: {"F1": sorted(starts)[1:], "DJ F1": []} for name, starts in ours.kept.items()}
    for name, parts in theirs.kept.items():
        found.setdefault(name, {"F1": [], "DJ F1": []})["DJ F1"] = starts_of(parts)[1:]
    return {"files": [row], "cuts": [cut_scores(clips, found, kind) for kind in (*KINDS, "all")]}


def starts_of(parts: Sequence[str]) -> list[float]:
    """When each scene begins, from the frames of the files before it."""
    starts = [0.0]
    for part in parts:
        starts.append(starts[-1] + media.frames_of(Path(part)) / FPS)
    return starts[:-1]


def cut_scores(
    clips: Sequence[tuple[Path, Clip]], found: Mapping[str, Mapping[str, list[float]]], kind: str
) -> dict[str, Any]:
    row: dict[str, Any] = {"cuts": kind}
    for side in ("F1", "DJ F1"):
        of = [(made, found[path.name][side]) for path, made in clips if kind in (made.kind, "all")]
        right = sum(matches(times, made.cuts) for made, times in of)
        figures = score(right, sum(len(times) for _, times in of), sum(len(made.cuts) for made, _ in of))
        prefix = side.removesuffix("F1")
        row |= {prefix + "precision": figures["precision"], prefix + "recall": figures["recall"], side: figures["f1"]}
    return row


def copies(both: Both, args: argparse.Namespace) -> dict[str, Rows]:
    pictures, clips = both.root / "picture copies", both.root / "clip copies"
    picture_kinds = media.picture_copies(both.sample, pictures, args.originals)
    return {
        "picture copies": copies_by_kind(both, "images", pictures, picture_kinds, BY_HASH),
        "clip copies": copies_by_kind(both, "videos", clips, media.clip_copies(both.sample, clips), BY_PACKETS),
    }


def copies_by_kind(
    both: Both, medium: Literal["images", "videos"], folder: Path, kinds: Sequence[str], operators: Operators
) -> Rows:
    rows = []
    for kind in kinds:
        files = media.copies_of_kind(folder, kind)
        ours = both.ours.duplicates(files)
        theirs = both.peer.run(f"{medium}, {kind}", medium, files, operators)
        # What a pool drops for another reason is no question of copies, on either side.
        unfit = {media.number(f) for f in files if f not in ours.kept and not ours.rejected[f] & COPY_REASONS}
        fit = [f for f in files if media.number(f) not in unfit]
        row: dict[str, Any] = {"copies": kind, "of": sum(f.startswith(f"{kind}/") for f in fit)}
        for side, kept in (("", ours.kept), ("DJ ", theirs.kept)):
            stay = {media.number(f): [g for g in fit if media.number(g) == media.number(f) and g in kept] for f in fit}
            copied = {media.number(f) for f in fit if f.startswith(f"{kind}/")}
            found = sum(len(stay[n]) == 1 for n in copied)
            alarms = sum(not names for names in stay.values())
            row |= {f"{side}recall": found / len(copied), f"{side}precision": found / max(1, found + alarms)}
        rows.append(row)
    return rows


def hostile(both: Both, args: argparse.Namespace) -> dict[str, Rows]:
    return hostile_rows(both.ours, both.peer, both.root, args.wait_s)


QUESTIONS: dict[str, Callable[[Both, argparse.Namespace], dict[str, Rows]]] = {
    "sizes": sizes,
    "motion": motion,
    "cuts": cuts,
    "copies": copies,
    "hostile": hostile,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, default=Path(".venv-data-juicer"))
    parser.add_argument("--sample", type=Path, default=Path("data/sample"))
    parser.add_argument("--only", choices=QUESTIONS, nargs="+", default=list(QUESTIONS))
    parser.add_argument("--images", type=int, default=300, help="pictures beside those of the sample")
    parser.add_argument("--clips", type=int, default=4, help="of each kind")
    parser.add_argument("--originals", type=int, default=20, help="pictures that copies are made of")
    parser.add_argument("--wait-s", type=float, default=60, help="how long Data-Juicer may wait at a FIFO")
    parser.add_argument("--json", type=Path, default=Path("data/benchmarks/data_juicer.json"))
    args = parser.parse_args()
    tables: dict[str, Rows] = {}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        for name in ("media", "cache", "peer"):
            (root / name).mkdir()
        both = Both(Ours(root / "media", root / "cache"), Peer(args.peer, root / "peer"), args.sample, root / "media")
        for question in args.only:
            for name, rows in QUESTIONS[question](both, args).items():
                tables.setdefault(name, []).extend(rows)
                print_rows(name, rows)
    print(f"\npy-data-juicer {both.peer.version}")
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"version": both.peer.version, **tables}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
