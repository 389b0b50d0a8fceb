"""Animated pictures (GIF, WebP, PNG, AVIF), frame by frame with the time each is shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import BinaryIO

from PIL import Image

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.coded_colours import Coding, colour_coding
from pipeline.media.decode import upright
from pipeline.media.images import check_pixels, decoding, open_image
from pipeline.media.kinds import Kind
from pipeline.media.truncation import missing_end
from pipeline.models.protocols import Picture

_FORMATS = {"GIF", "WEBP", "PNG", "AVIF"}  # several pages of a TIFF are no animation
_LEAST_MS, _INSTEAD_MS = 10, 100  # browsers show frames of at most 10 ms for 100 ms


@dataclass(frozen=True)
class Still:
    """One frame of an animation. Times in seconds from its beginning; uint8 [H, W, 3] RGB at full size."""

    time_s: float
    end_s: float
    picture: Picture


def plays(file: BinaryIO, kind: Kind, settings: FrameSettings) -> bool:
    """Whether a picture file counts as a video: it has a second frame, and `animations` asks for it.

    Raises MediaError as `open_image` does. The file is rewound.
    """
    if settings.animations == "first_frame" or kind.decoder not in _FORMATS:
        return False
    with open_image(file, kind, settings) as image:
        moving = bool(getattr(image, "is_animated", False))
    file.seek(0)
    return moving


def stills(file: BinaryIO, kind: Kind, settings: FrameSettings) -> Iterator[Still]:
    """Every frame of an animation in order, once, however often it says that it repeats.

    At damage all good frames come first and then MediaError truncated or corrupt_image; decode_timeout,
    too_long and too_many_pixels likewise.
    """
    file.seek(0)
    coding = colour_coding(file, kind)
    deadline = time.monotonic() + settings.max_decode_s
    with decoding(file, kind):
        image = Image.open(file, formats=(kind.decoder,))
    at_s = 0.0
    for number in count():
        # Not around the yield: what a consumer raises is none of ours, and its warnings are its own.
        with decoding(file, kind):
            picture = _frame(image, number, coding, settings.max_pixels)
        if picture is None:
            break
        if time.monotonic() > deadline:
            raise MediaError("decode_timeout", f"more than {settings.max_decode_s:g} s")
        if at_s > settings.max_duration_s:
            raise MediaError("too_long", f"frames at {at_s:.1f} s, limit {settings.max_duration_s:g} s")
        end_s = round(at_s + _shown_ms(image) / 1000, 6)
        yield Still(at_s, end_s, picture)
        at_s = end_s
    cut = missing_end(file, kind)
    if cut is not None:
        raise MediaError("truncated", f"{kind.decoder}: {cut}")


def _frame(image: Image.Image, number: int, coding: Coding | None, max_pixels: int) -> Picture | None:
    """None behind the last frame."""
    try:
        image.seek(number)
    except EOFError:
        return None
    check_pixels(*image.size, max_pixels)  # a frame of a GIF may be larger than the file declares
    return upright(image, coding, max(image.size))


def _shown_ms(image: Image.Image) -> float:
    shown = float(image.info.get("duration") or 0)
    return shown if shown > _LEAST_MS else _INSTEAD_MS
