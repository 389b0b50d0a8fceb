"""The visual budget of a video: all its sampled frames together have so many pixels at most (PAPER, training)."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image

from pipeline.media.jpeg import encode_picture


def within(width: int, height: int, frames: int, max_pixels: int) -> tuple[int, int]:
    """The size of each of `frames` frames, scaled down, never up, so that all have `max_pixels` at most."""
    if frames * width * height <= max_pixels:
        return width, height
    scale = math.sqrt(max_pixels / (frames * width * height))
    return max(1, math.floor(width * scale)), max(1, math.floor(height * scale))


def budgeted(jpegs: Sequence[bytes], max_pixels: int) -> tuple[bytes, ...]:
    """Frames as JPEG, scaled down to the budget where they exceed it.

    Only here is their number known: they were encoded as they came.
    """
    return tuple(_scaled(jpeg, len(jpegs), max_pixels) for jpeg in jpegs)


def _scaled(jpeg: bytes, frames: int, max_pixels: int) -> bytes:
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        size = within(*image.size, frames, max_pixels)
        return jpeg if size == image.size else encode_picture(image.resize(size, Image.Resampling.BOX))
