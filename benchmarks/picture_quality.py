"""Which good pictures do the limits of seed_pool.pictures reject, and which bad ones do they find?

    python benchmarks/picture_quality.py FOLDER... [--degrade FOLDER...] [--set key=value] [--json FILE]

Each FOLDER holds pictures that are good for something: what is rejected is printed, and is a false
alarm unless the list says otherwise. Folders behind --degrade hold photos: each is blurred, enlarged,
darkened, brightened, covered and so on, scaled and stored as a sampled frame is, and judged: the table
says what share is found and by which reason.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.config import FrameSettings
from pipeline.config_file import load_config
from pipeline.errors import MediaError
from pipeline.media.decode import read_image
from pipeline.media.jpeg import decode_jpeg, encode_jpeg
from pipeline.models.protocols import Picture
from pipeline.seed_pool.pictures import verdict

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".avif"}
CAPTURED = 85  # JPEG quality that a degraded picture came with, before it became a frame


def blurred(sigma: float) -> Callable[[Picture], Picture]:
    return lambda p: np.asarray(cv2.GaussianBlur(p, (0, 0), sigma), np.uint8)


def grainy(sigma: float, noise: float) -> Callable[[Picture], Picture]:
    def change(picture: Picture) -> Picture:
        grain = np.random.default_rng(0).normal(0, noise, picture.shape)
        return np.asarray(np.clip(blurred(sigma)(picture) + grain, 0, 255), np.uint8)

    return change


def moved(length: int) -> Callable[[Picture], Picture]:
    return lambda p: np.asarray(cv2.filter2D(p, -1, np.full((1, length), 1 / length)), np.uint8)


def enlarged(times: int) -> Callable[[Picture], Picture]:
    def change(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        small = cv2.resize(picture, (max(1, width // times), max(1, height // times)), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)

    return change


def exposed(stops: float) -> Callable[[Picture], Picture]:
    """More or less light on the sensor, as sRGB."""

    def change(picture: Picture) -> Picture:
        stored = picture / 255.0
        linear = np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4) * 2.0**stops
        linear = np.clip(linear, 0, 1)
        encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
        return np.asarray(np.rint(encoded * 255), np.uint8)

    return change


def faded(share: float) -> Callable[[Picture], Picture]:
    """What little contrast fog or a covered lens leaves."""
    return lambda p: np.asarray(np.rint(128 + (p - 128.0) * share), np.uint8)


DEGRADED: dict[str, Callable[[Picture], Picture]] = {
    "as it is": lambda p: p,
    **{f"Gaussian blur, sigma {s} px": blurred(s) for s in (1, 2, 3, 4, 6)},
    "Gaussian blur, sigma 4 px, grain": grainy(4, 4),
    "camera moved by 15 px": moved(15),
    "enlarged 4 times": enlarged(4),
    "enlarged 8 times": enlarged(8),
    **{f"{s:+d} stops": exposed(s) for s in (-6, -5, -4, 2, 4, 6)},
    "5 % of its contrast": faded(0.05),
    "one colour": lambda p: np.full_like(p, p.mean(axis=(0, 1)).astype(np.uint8)),
}


def pictures_of(folder: Path) -> list[tuple[str, Picture]]:
    """All pictures below a folder that can be read and that coarse quality would let through, as frames."""
    limits = load_config(None).seed_pool.quality
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        try:
            picture = read_image(path, FrameSettings())
        except MediaError:
            continue
        height, width = picture.shape[:2]
        if min(width, height) >= limits.min_width_px and max(width, height) <= limits.max_aspect_ratio * min(
            width, height
        ):
            found.append((path.stem, picture))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER")
    parser.add_argument("--degrade", type=Path, nargs="+", default=[], metavar="FOLDER")
    parser.add_argument("--set", dest="assignments", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path, default=Path("data/benchmarks/picture_quality.json"))
    arguments = parser.parse_args()
    limits = load_config(None, arguments.assignments).seed_pool.pictures
    figures: dict[str, Any] = {"limits": limits.model_dump(), "rejected": {}, "found": {}}
    for folder in arguments.folders:
        pictures = pictures_of(folder)
        judged = [(name, verdict([decode_jpeg(encode_jpeg(p))], limits)) for name, p in pictures]
        rejected = [{"picture": name, "reason": v[0], "detail": v[1]} for name, v in judged if v]
        figures["rejected"][str(folder)] = {"pictures": len(pictures), "rejected": rejected}
        print(f"{folder}: {len(pictures)} pictures, {len(rejected)} rejected")
        for row in rejected:
            print(f"    {row['picture']:<40} {row['reason']:<14} {row['detail']}")
    photos = [picture for folder in arguments.degrade for _, picture in pictures_of(folder)]
    if photos:
        print(f"{'photos, ' + str(len(photos)):<36}{'rejected':>10}  reasons")
    for name, change in DEGRADED.items() if photos else ():
        captured = [decode_jpeg(encode_jpeg(change(photo), CAPTURED)) for photo in photos]
        verdicts = [verdict([decode_jpeg(encode_jpeg(p))], limits) for p in captured]
        reasons = Counter(v[0] for v in verdicts if v)
        figures["found"][name] = {"share": sum(reasons.values()) / len(photos), "reasons": dict(reasons)}
        words = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        print(f"{name:<36}{100 * sum(reasons.values()) / len(photos):>8.0f} %  {words}")
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
