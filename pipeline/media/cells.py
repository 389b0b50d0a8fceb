"""Small pictures of 32 x 24 areas: what a scene looks like, without noise and small movement."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media.luma import contrast
from pipeline.models.protocols import Picture

CELLS = (32, 24)  # across and down
Cells = NDArray[np.float64]  # [24 * 32 * 3], whole numbers 0..255, so that sums of products are exact

_PLAIN = 3.0  # standard deviation of the cells of a picture without content, 0..255


def tiny(picture: Picture) -> Picture:
    """Mean colour of 32 x 24 areas of a uint8 [H, W, 3] picture: uint8 [24, 32, 3]."""
    return np.asarray(cv2.resize(picture, CELLS, interpolation=cv2.INTER_AREA), np.uint8)


def is_plain(picture: Picture) -> bool:
    """Whether the picture that `tiny` gives is without content: black, white, any one colour."""
    return contrast(picture) < _PLAIN


def correlation(a: Cells, b: Cells) -> float:
    """Pearson's correlation of two pictures' cells, -1..1: blind to brightness and contrast; 0 where one is plain."""
    sum_a, sum_b, size = float(a.sum()), float(b.sum()), len(a)
    spread = (size * float(a @ a) - sum_a**2) * (size * float(b @ b) - sum_b**2)
    return (size * float(a @ b) - sum_a * sum_b) / math.sqrt(spread) if spread > 0 else 0.0


@dataclass
class Look:
    """What a frame looks like."""

    time_s: float
    picture: Picture
    cells: Cells
    contrast: float  # largest standard deviation of a channel's cells, 0..127.5
    change: float  # mean absolute change from the frame before, 0..255
    differs: bool = False  # says the detector

    @property
    def plain(self) -> bool:
        """As `is_plain` says of its picture."""
        return self.contrast < _PLAIN


def look(time_s: float, picture: Picture, before: Look | None) -> Look:
    """Of the picture that `tiny` gives, and of the frame before it."""
    change = 0.0 if before is None else difference(picture, before.picture)
    return Look(time_s, picture, picture.astype(np.float64).ravel(), contrast(picture), change)


def difference(a: Picture, b: Picture) -> float:
    """Mean absolute difference of two pictures of one size, 0..255."""
    return float(cv2.norm(a, b, cv2.NORM_L1)) / a.size
