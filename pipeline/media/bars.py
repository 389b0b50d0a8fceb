"""Measures and crops letterbox and pillarbox: black bars that frame the picture in every frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.media.jpeg import decode_jpeg, encode_jpeg
from pipeline.media.luma import Luma, small_luma
from pipeline.models.protocols import Picture, Pixels

_BLACK = 20.0  # luma, 0..255: coded black with ringing at the picture's edge
_BRIGHT_SHARE = 98  # percentile of a bar's row or column that must be black: specks of coding do not count
_LEAST = 0.02  # of a side: a thinner bar is a border of the scan
_UNEVEN = 0.03  # of a side, by which a pair of bars may differ


@dataclass(frozen=True)
class Bars:
    """Black bars as shares of height (top, bottom) and width (left, right), 0..1."""

    top: float
    bottom: float
    left: float
    right: float

    @property
    def share(self) -> float:
        """Of the picture's area, 0..1."""
        return 1 - (1 - self.top - self.bottom) * (1 - self.left - self.right)


def measured_bars(lumas: Sequence[Luma]) -> Bars:
    """The bars that all frames of a segment have, which are float32 [h, w] of one size, 0..255.

    Bars come in pairs of the same width: dark ground below a bright sky is none. A segment that is black
    all over has none either, nor has one whose frames differ in size.
    """
    if len({luma.shape for luma in lumas}) != 1:
        return Bars(0, 0, 0, 0)
    stacked = np.stack(lumas)
    top, bottom = _pair(np.percentile(stacked, _BRIGHT_SHARE, axis=2).max(axis=0))
    left, right = _pair(np.percentile(stacked, _BRIGHT_SHARE, axis=1).max(axis=0))
    return Bars(top, bottom, left, right)


def _pair(brightest: NDArray[np.float32]) -> tuple[float, float]:
    """Shares of a side that are black at both ends; brightest: float32 [n], of its rows or columns."""
    bright = np.flatnonzero(brightest > _BLACK)
    if not bright.size:
        return 0.0, 0.0
    first, last = bright[0] / len(brightest), 1 - (bright[-1] + 1) / len(brightest)
    paired = min(first, last) >= _LEAST and abs(first - last) <= _UNEVEN
    return (float(first), float(last)) if paired else (0.0, 0.0)


def cropped(pixels: Pixels) -> Pixels:
    """The frames without the bars that all of them have; the very same where there are none."""
    pictures = [decode_jpeg(frame) for frame in pixels.frames]
    return without(measured_bars([small_luma(picture) for picture in pictures]), pixels, pictures)


def without(bars: Bars, pixels: Pixels, pictures: Sequence[Picture]) -> Pixels:
    """The frames without `bars`; the very same where there are none. pictures: the decoded frames of `pixels`."""
    if bars.share == 0:
        return pixels
    return Pixels(tuple(encode_jpeg(_inside(picture, bars)) for picture in pictures), pixels.times_s, pixels.video)


def _inside(picture: Picture, bars: Bars) -> Picture:
    height, width = picture.shape[:2]
    rows = slice(math.ceil(bars.top * height), height - math.ceil(bars.bottom * height))
    columns = slice(math.ceil(bars.left * width), width - math.ceil(bars.right * width))
    return np.ascontiguousarray(picture[rows, columns])
