"""The visual budget of a video: all its sampled frames together have so many pixels at most (PAPER, training)."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from pipeline.media.jpeg import encode_picture
from pipeline.models.protocols import Pixels


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


def shares(frames: Sequence[int], max_frames: int) -> list[int]:
    """How many frames each clip keeps so that all have `max_frames` at most: one, and of the rest its part.

    frames: of each clip, from 1; no more clips than max_frames.
    """
    spare, wanted = max_frames - len(frames), sum(frames) - len(frames)
    return list(frames) if wanted <= spare else [1 + (n - 1) * spare // wanted for n in frames]


def shared(clips: Sequence[Pixels], max_frames: int, max_pixels: int) -> tuple[Pixels, ...]:
    """The clips of one film as a model sees them together: within the budget of one video."""
    if len(clips) == 1:
        return tuple(clips)
    kept = [thinned(clip, n) for clip, n in zip(clips, shares([len(c.frames) for c in clips], max_frames), strict=True)]
    total = sum(len(clip.frames) for clip in kept)
    return tuple(replace(c, frames=tuple(_scaled(f, total, max_pixels) for f in c.frames)) for c in kept)


def thinned(clip: Pixels, frames: int) -> Pixels:
    """So many of its frames, evenly drawn; the first one is among them."""
    chosen = [i * len(clip.frames) // frames for i in range(frames)]
    return replace(clip, frames=tuple(clip.frames[i] for i in chosen), times_s=tuple(clip.times_s[i] for i in chosen))


def _scaled(jpeg: bytes, frames: int, max_pixels: int) -> bytes:
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        size = within(*image.size, frames, max_pixels)
        return jpeg if size == image.size else encode_picture(image.resize(size, Image.Resampling.BOX))
