"""The files on which benchmarks/data_juicer.py compares: what each is stands in its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from near_duplicates import (
    CLIP_S,
    CLIPS,
    PASTED,
    RATE,
    SIZE,
    Frames,
    filmed,
    pictures_of,
    planted_clips,
    planted_pictures,
    write_clip,
)
from PIL import Image
from road import mixed
from scene_cuts import KINDS, Clip, Real, make

from tests.media.edits import EDITS
from tests.media.odd_files import FILES, photo

Files = dict[str, Path]  # by a name that says what a file is
MIN_SIDE_PX, MAX_ASPECT_RATIO, MAX_DURATION_S = 160, 4, 20.0
# Width and height on both sides of these limits.
SIZES = [(159, 400), (160, 400), (400, 158), (400, 160), (640, 160), (660, 160), (160, 700), (1200, 200), (96, 96)]
NEIGHBOURS = 40
TIMES = 20
PICTURE_NAMES = {".jpg", ".png", ".gif", ".webp", ".tif", ".avif", ".jp2", ".ppm", ".heic", ".jxl"}
VIDEO_NAMES = {".mp4", ".webm", ".mkv", ".avi", ".ts"}
PART_OF_ANOTHER = "b.mp4"  # of the sample: it shows what world.mp4 shows
NOT_IN_JSON = "name that is no utf-8"  # a JSONL cannot name it
WAITS = "fifo"  # whoever opens it waits for ever


def below(folder: Path) -> Files:
    return {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}


def pictures(sample: Path, folder: Path, count: int) -> Files:
    """The sample's pictures, `count` mixtures of them, and pictures on both sides of the limits."""
    shutil.copytree(sample / "images", folder / "sample")
    for name in ("mixed", "sizes"):
        (folder / name).mkdir()
    mixed(sample, folder / "mixed", count)
    for width, height in SIZES:
        photo(width, height).save(folder / "sizes" / f"{width}x{height}.png")
    return below(folder)


def videos(sample: Path, folder: Path) -> Files:
    """The sample's videos, and short ones on both sides of the limits, all under TIMES names: few would take less
    time than a start of Data-Juicer varies by."""
    shutil.copytree(sample / "videos", folder / "0" / "sample")
    for width, height in SIZES:
        even = (width // 2 * 2, height // 2 * 2)
        write_clip(panned(photo(1600, 1200), 2.0, 8.0, even), folder / "0" / "sizes" / f"{even[0]}x{even[1]}.mp4", 23)
    for again in range(1, TIMES):
        shutil.copytree(folder / "0", folder / str(again), copy_function=os.link)
    return below(folder)


def cuts(sample: Path, folder: Path, count: int) -> list[tuple[Path, Clip]]:
    """Clips of four scenes with known cuts, `count` of each kind of benchmarks/scene_cuts.py."""
    folder.mkdir()
    return list(make(KINDS, Real(sample), count, 1, folder))


# Copies


def picture_copies(sample: Path, folder: Path, originals: int) -> list[str]:
    """Copies of near_duplicates.py, and two that change no pixel. Returns the kinds: names of the folders."""
    once = {p.tobytes(): p for p in pictures_of([sample / "images"])}  # the sample holds one picture twice
    planted_pictures(list(once.values()), originals, folder)
    shutil.rmtree(folder / PASTED)  # neither copies nor other pictures
    shutil.copytree(folder / "original", folder / "same bytes")
    (folder / "as bmp").mkdir()
    for path in sorted((folder / "original").iterdir()):
        Image.open(path).save((folder / "as bmp" / path.name).with_suffix(".bmp"))
    return ["same bytes", "as bmp", *EDITS]


def clip_copies(sample: Path, folder: Path) -> list[str]:
    """The same of clips: of every second video of the sample; `remux` has the same packets in another container."""
    films = [(p.name, filmed(p)) for p in sorted((sample / "videos").iterdir())]
    long = [(name, shown) for name, shown in films if len(shown) >= CLIP_S * RATE // 2]
    others = [shown for name, shown in long[1::2] if name != PART_OF_ANOTHER]
    planted_clips([shown for _, shown in long[::2]], others, folder)
    shutil.copytree(folder / "original", folder / "same bytes")
    (folder / "remux").mkdir()
    for path in sorted((folder / "original").iterdir()):
        remux(path, (folder / "remux" / path.name).with_suffix(".mkv"))
    return ["same bytes", "remux", *CLIPS]


def remux(path: Path, to: Path) -> None:
    with av.open(str(path)) as source, av.open(str(to), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)


# Motion


def panned(picture: Image.Image, seconds: float, speed_px: float, size: tuple[int, int] = SIZE) -> Frames:
    """A camera that moves over a picture, `speed_px` a frame."""
    room = (picture.width - size[0], picture.height - size[1])
    steps = [(min(round(i * speed_px), room[0]), min(round(i * speed_px / 2), room[1])) for i in range(frames(seconds))]
    return [np.asarray(picture.crop((x, y, x + size[0], y + size[1]))) for x, y in steps]


def frames(seconds: float) -> int:
    return round(seconds * RATE)


def grainy(shown: Frames) -> Frames:
    rng = np.random.default_rng(0)
    return [np.clip(f + rng.normal(0, 3, f.shape), 0, 255).astype(np.uint8) for f in shown]


STILL = ("still", "still with grain", "four fifths still", "black", "one colour")
MOVING = ("slow pan", "pan", "fast pan")


def motion(sample: Path, folder: Path, count: int) -> Files:
    """Six-second clips, `<kind>/i`, of each kind in STILL and MOVING; black and one colour once."""
    photos = [Image.fromarray(p) for p in pictures_of([sample / "images"])]
    wide = [p.resize((960, round(960 * p.height / p.width))) for p in photos if p.width >= p.height >= 300][:count]
    for number, picture in enumerate(wide):
        shown = panned(picture, 6, 0)
        made = {
            "still": shown,
            "still with grain": grainy(shown),
            "four fifths still": [*shown[: frames(4.8)], *panned(picture, 1.2, 4)],
            "slow pan": panned(picture, 6, 0.5),
            "pan": panned(picture, 6, 2),
            "fast pan": panned(picture, 6, 6),
        }
        for kind, clip in made.items():
            write_clip(clip, folder / kind / f"{number}.mp4", 23)
    for kind, colour in (("black", (0, 0, 0)), ("one colour", (30, 90, 160))):
        write_clip([np.full((SIZE[1], SIZE[0], 3), colour, np.uint8)] * frames(6), folder / kind / "0.mp4", 23)
    return below(folder)


# Hostile files


def hostile(folder: Path, names: set[str], neighbour: Callable[[Path, int], None]) -> tuple[Files, dict[str, str]]:
    """Files of tests/media/odd_files.py whose suffix is one of `names`, after NEIGHBOURS good ones, and what must
    become of each: `good`, `odd` (to be kept as well), or the reason to reject it."""
    found, fate = Files(), dict[str, str]()
    for number in range(NEIGHBOURS):
        path = folder / "good" / f"{number:02d}{'.png' if '.png' in names else '.mp4'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        neighbour(path, number)
        found[f"good/{number:02d}"], fate[f"good/{number:02d}"] = path, "good"
    for number, (kind, path, reason) in enumerate(odd_files(folder, names)):
        key = f"{number:02d} {kind}"
        found[key], fate[key] = path, reason or "odd"
    return found, fate


def odd_files(folder: Path, names: set[str]) -> Iterator[tuple[str, Path, str | None]]:
    for number, (kind, (maker, reason)) in enumerate(FILES.items()):
        into = folder / f"{number:03d}"
        into.mkdir()
        if kind in (NOT_IN_JSON, WAITS):
            continue
        path = maker(into)
        if path.suffix in names:
            yield kind, path, reason


def good_picture(path: Path, number: int) -> None:
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (200, 240, 3), np.uint8)).save(path)


def good_clip(path: Path, number: int) -> None:
    rng = np.random.default_rng(number)
    ground = Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8)).resize((640, 480), Image.Resampling.BICUBIC)
    write_clip(panned(ground, 2, 4), path, 23)


def copies_of_kind(folder: Path, kind: str) -> Files:
    """Originals and other media, and the copies of one kind."""
    shown = below(folder)
    return {name: path for name, path in shown.items() if name.split("/")[0] in ("original", "other", kind)}


def number(name: str) -> str:
    """The medium that a file of planted copies shows; other clips are numbered anew."""
    kind, file = name.split("/")
    return f"{'other ' if kind == 'other' else ''}{file.split('.')[0]}"


def frames_of(path: Path) -> int:
    """Frames of a video, from its packets."""
    with av.open(str(path)) as video:
        return sum(packet.dts is not None for packet in video.demux(video.streams.video[0]))


def with_fifo(folder: Path) -> tuple[Files, dict[str, str]]:
    """Three good pictures and a FIFO."""
    folder.mkdir()
    found = {f"good/{number}": folder / f"{number}.png" for number in range(3)}
    for number, path in enumerate(found.values()):
        good_picture(path, number)
    maker, reason = FILES[WAITS]
    fate = dict.fromkeys(found, "good")
    return {**found, WAITS: maker(folder)}, {**fate, WAITS: str(reason)}
