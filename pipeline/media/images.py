"""Opens still pictures: header first, pixels only when the size is allowed."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import BinaryIO

from PIL import Image

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.kinds import Kind
from pipeline.media.truncation import missing_end

# What Pillow's decoders raise on damaged files.
_DAMAGE = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, EOFError,
    ZeroDivisionError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {5, 6, 7, 8}


def fit(width: int, height: int, max_side_px: int) -> tuple[int, int]:
    """The size of a picture scaled down, never up, so that its longer side is at most `max_side_px`."""
    scale = min(1.0, max_side_px / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raise MediaError too_many_pixels when a picture of this size is over the limit."""
    if width * height > max_pixels:
        raise MediaError("too_many_pixels", f"{width} x {height} is {width * height} pixels, limit {max_pixels}")


def _damaged(file: BinaryIO, kind: Kind, error: BaseException) -> MediaError:
    if isinstance(error, OSError) and error.errno:
        return MediaError("unreadable", (error.strerror or str(error)).lower())
    cut = missing_end(file, kind)
    if cut is None and "truncated" in str(error):
        cut = str(error)
    if cut is not None:
        return MediaError("truncated", f"{kind.decoder}: {cut}")
    return MediaError("corrupt_image", f"{kind.decoder}: {' '.join(str(error).split()) or type(error).__name__}")


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Close the process's stderr for a moment: libtiff writes there past Python, and Pillow has
    no switch for it."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def decoding(file: BinaryIO, kind: Kind) -> Iterator[None]:
    """Turn whatever Pillow raises inside into MediaError too_many_pixels, truncated, corrupt_image or unreadable.

    Warnings of Pillow stay inside: they say nothing a reader could use.
    """
    quiet = _without_stderr() if kind.decoder == "TIFF" else nullcontext()
    with quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Image.DecompressionBombError as error:  # Pillow's own, higher limit
            raise MediaError("too_many_pixels", str(error).lower()) from error
        except _DAMAGE as error:
            raise _damaged(file, kind, error) from error


@contextmanager
def open_image(file: BinaryIO, kind: Kind, settings: FrameSettings) -> Iterator[Image.Image]:
    """The picture in an opened file, its pixels not yet decoded, its size within the limit.

    Whatever goes wrong inside the `with` becomes a MediaError as `decoding` has it.
    """
    with decoding(file, kind), Image.open(file, formats=(kind.decoder,)) as image:
        check_pixels(*image.size, settings.max_pixels)
        yield image


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """The transposition that sets an opened picture upright, by its EXIF tag; None when it is."""
    return _TURNS.get(_orientation(image))


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1..8; 1 (upright) where there is none or it is damaged."""
    if image.format == "TIFF":  # Pillow turns these itself
        return 1
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except _DAMAGE:
        return 1
    return value if value in _TURNS else 1


def displayed_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) in px after EXIF rotation."""
    width, height = image.size
    return (height, width) if _orientation(image) in _SIDEWAYS else (width, height)
