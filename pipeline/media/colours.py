"""Names the colours of pixels with the eleven basic words, by lightness, chroma and hue in CIE Lab."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.models.protocols import Picture

COLOURS: tuple[str, ...] = (
    "black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown",
)  # fmt: skip
_INDEX = {name: i for i, name in enumerate(COLOURS)}
_DARK = 24.0  # lightness + 0.6 chroma below which a pixel is black: dark colours need chroma to show
_WHITE = 85.0
_GREY_CHROMA = 14.0

# (hue from, hue to, least lightness, most lightness, least chroma, most chroma, name), degrees and
# 0..100; the first row that holds names the pixel. The rows of a hue end in one that always holds.
_RULES: tuple[tuple[float, float, float, float, float, float, str], ...] = (
    (0, 30, 60, 101, 0, 999, "pink"),
    (0, 10, 0, 101, 45, 999, "pink"),
    (10, 30, 0, 101, 45, 999, "red"),
    (0, 30, 45, 101, 0, 999, "pink"),
    (10, 30, 0, 101, 28, 999, "red"),
    (10, 30, 0, 101, 0, 999, "brown"),
    (0, 10, 0, 101, 0, 999, "purple"),
    (30, 42, 65, 101, 0, 999, "pink"),
    (30, 42, 0, 101, 48, 999, "red"),
    (42, 50, 45, 101, 60, 999, "orange"),
    (30, 50, 65, 101, 0, 999, "pink"),
    (30, 50, 0, 101, 0, 999, "brown"),
    (42, 50, 0, 101, 62, 999, "red"),
    (50, 82, 48, 72, 55, 999, "orange"),
    (50, 82, 72, 101, 35, 999, "orange"),
    (50, 112, 85, 101, 0, 25, "white"),
    (50, 65, 80, 101, 0, 999, "pink"),
    (65, 82, 82, 101, 0, 999, "orange"),
    (50, 82, 0, 101, 0, 999, "brown"),
    (82, 112, 60, 101, 30, 999, "yellow"),
    (82, 112, 78, 101, 0, 999, "yellow"),
    (82, 95, 0, 101, 0, 999, "brown"),
    (95, 195, 0, 101, 0, 999, "green"),
    (195, 308, 0, 101, 0, 999, "blue"),
    (308, 335, 0, 101, 0, 999, "purple"),
    (335, 360, 50, 101, 0, 999, "pink"),
    (335, 360.1, 0, 101, 0, 999, "purple"),
)


def colour_names(picture: Picture) -> NDArray[np.uint8]:
    """The index in COLOURS of each pixel of a uint8 [H, W, 3] RGB picture: uint8 [H, W]."""
    light, a, b = _lab(picture)
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    neutral = chroma < _GREY_CHROMA
    tests = [light + 0.6 * chroma < _DARK, neutral & (light >= _WHITE), neutral]
    names = ["black", "white", "grey"]
    for hue_from, hue_to, light_from, light_to, chroma_from, chroma_to, name in _RULES:
        in_hue = (hue >= hue_from) & (hue < hue_to)
        in_light = (light >= light_from) & (light < light_to)
        tests.append(in_hue & in_light & (chroma >= chroma_from) & (chroma < chroma_to))
        names.append(name)
    return np.select(tests, [np.uint8(_INDEX[n]) for n in names], np.uint8(_INDEX["grey"]))


def colour_shares(picture: Picture) -> NDArray[np.float32]:
    """The share of pixels of each of COLOURS in a uint8 [H, W, 3] RGB picture: float32 [11], sum 1."""
    counts = np.bincount(colour_names(picture).ravel(), minlength=len(COLOURS))
    return np.asarray(counts / counts.sum(), np.float32)


def grey_chroma(pictures: Sequence[Picture]) -> float:
    """Mean Lab chroma of the pixels called grey in uint8 [H, W, 3] RGB pictures: 0 is pure grey or no grey."""
    chroma = []
    for picture in pictures:
        _, a, b = _lab(picture)
        chroma.append(np.hypot(a, b)[colour_names(picture) == _INDEX["grey"]])
    grey = np.concatenate(chroma)
    return float(grey.mean()) if len(grey) else 0.0


def _lab(picture: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    lab = np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    return lab[..., 0], lab[..., 1], lab[..., 2]
