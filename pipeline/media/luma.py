"""Brightness, contrast and movement, measured on small pictures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media.images import fit
from pipeline.models.protocols import Picture

Luma = NDArray[np.float32]  # [height, width], 0..255
COARSE = (8, 6)  # areas across and down
_SIDE_PX = 160  # longer side: noise and compression average out, movement of things stays


def small_luma(picture: Picture) -> Luma:
    """BT.601 luma of a picture scaled down to 160 px: float32 [h, w], 0..255."""
    return small(picture).astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def small(picture: Picture, side_px: int = _SIDE_PX) -> Picture:
    """A picture scaled down to 160 px, or to `side_px`; one that is no larger stays as it is."""
    size = fit(picture.shape[1], picture.shape[0], side_px)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def contrast(picture: Picture) -> float:
    """The largest standard deviation of a colour channel: 0..127.5."""
    return float(cv2.meanStdDev(picture)[1].max())


def coarse(luma: Luma) -> Luma:
    """Mean luma of 8 x 6 areas: float32 [6, 8], 0..255."""
    return np.asarray(cv2.resize(luma, COARSE, interpolation=cv2.INTER_AREA), np.float32)


def motion(lumas: Sequence[Luma]) -> float | None:
    """Mean absolute change between neighbours in time, 0..255; None for fewer than two.

    A change of size counts as no change: it says nothing of what is seen.
    """
    pairs = [(a, b) for a, b in itertools.pairwise(lumas) if a.shape == b.shape]
    if not pairs:
        return None
    return float(np.mean([np.abs(a - b).mean() for a, b in pairs]))


def bright_luma(lumas: Sequence[Luma]) -> float:
    """The 99th percentile of luma over all frames: low only when all of them stay dark."""
    return float(np.percentile(np.concatenate([luma.ravel() for luma in lumas]), 99))
