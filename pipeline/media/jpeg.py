"""JPEG in memory: every sampled frame passes through it, so that fresh and cached pixels are equal."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pipeline.media.images import fit
from pipeline.models.protocols import Picture, Pixels

_QUALITY = 95
_THUMBNAIL_QUALITY = 85


def encode_jpeg(picture: Picture, quality: int = _QUALITY) -> bytes:
    """A uint8 [H, W, 3] RGB picture as JPEG bytes."""
    return encode_picture(Image.fromarray(picture), quality)


def encode_picture(picture: Image.Image, quality: int = _QUALITY) -> bytes:
    """Pillow's picture of mode RGB as JPEG bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def decode_jpeg(data: bytes) -> Picture:
    """The uint8 [H, W, 3] RGB picture of JPEG bytes that `encode_jpeg` made."""
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return np.asarray(image.convert("RGB"))


def small_jpeg(pixels: Pixels, side_px: int) -> bytes:
    """The middle frame of an asset as a small JPEG, longer side at most `side_px`."""
    picture = Image.fromarray(decode_jpeg(pixels.frames[len(pixels.frames) // 2]))
    size = fit(*picture.size, side_px)
    return encode_jpeg(np.asarray(picture.resize(size, Image.Resampling.LANCZOS)), _THUMBNAIL_QUALITY)
