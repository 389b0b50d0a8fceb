"""Reads printed text with RapidOCR (PaddleOCR's detector and recogniser in ONNX Runtime).

The recogniser was trained on Chinese and drops spaces between Latin words, surely and often
(about half of the lines of two or more words in a test of 12 fonts). So each line is looked at
again: wide gaps between its letters split it, and the words are read one by one.
"""

from __future__ import annotations

from importlib.metadata import version
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from rapidocr_onnxruntime import RapidOCR

from pipeline.models.protocols import Picture, TextLine

_HEIGHT_PX = 48  # of a line, as the recogniser sees it
_MARGIN_PX = 6  # boxes reach this far above and below the letters
_MIN_GAP_PX = 9  # between words, at _HEIGHT_PX
_MIN_RATIO = 1.4  # of the least gap between words to the largest between letters
_PAD_PX = 4
_UNSURE = 0.5  # confidence at most of a line whose two readings differ


class RapidOcrReader:
    """A `TextReader`. Loads its three models once; on one thread its results repeat exactly."""

    def __init__(self, threads: int = 1) -> None:
        self._engine = RapidOCR(intra_op_num_threads=threads, inter_op_num_threads=1)

    @property
    def fingerprint(self) -> str:
        """Of the package that holds the weights, and of the reading of words here."""
        return f"rapidocr-onnxruntime {version('rapidocr-onnxruntime')} words 1"

    def read(self, picture: Picture) -> list[TextLine]:
        """The lines of text in a uint8 [H, W, 3] RGB picture, from top to bottom, left to right."""
        image = np.ascontiguousarray(picture[..., ::-1])
        found, _ = self._engine(image, use_cls=False)
        area = float(picture.shape[0] * picture.shape[1])
        lines = []
        for corners, text, confidence in found or ():
            box = np.asarray(corners, np.float32)
            spaced, sure = self._spaced(_straightened(image, box), text.strip(), float(confidence))
            if spaced:
                lines.append(TextLine(spaced, sure, min(1.0, _area(box) / area)))
        return lines

    def _spaced(self, line: Picture, text: str, confidence: float) -> tuple[str, float]:
        """A line's text with the spaces that its gaps show, and how sure it is, 0..1."""
        words = word_spans(ink_columns(line))
        if len(words) <= len(text.split()):
            return text, confidence
        parts, sure = [], confidence
        for start, end in words:
            found, _ = self._engine(line[:, max(0, start - _PAD_PX) : end + _PAD_PX], use_det=False, use_cls=False)
            for part, score in found or ():
                parts.append(part.strip())
                sure = min(sure, float(score))
        spaced = " ".join(part for part in parts if part)
        if _letters(spaced) != _letters(text):
            return text, min(confidence, _UNSURE)
        return spaced, sure


def _letters(text: str) -> str:
    return "".join(text.casefold().split())


def _straightened(image: Picture, box: NDArray[np.float32]) -> Picture:
    """The quadrilateral `box` of an image as a level strip of _HEIGHT_PX: uint8 [48, W, 3]."""
    width = max(_distance(box[0], box[1]), _distance(box[2], box[3]), 1.0)
    height = max(_distance(box[0], box[3]), _distance(box[1], box[2]), 1.0)
    size = (max(1, round(width / height * _HEIGHT_PX)), _HEIGHT_PX)
    corners = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(box, corners)
    strip = cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(strip, np.uint8)


def ink_columns(line: Picture) -> NDArray[np.bool_]:
    """Which columns of a uint8 [48, W, 3] strip hold ink: bool [W]. Ink is the rarer of dark and light."""
    grey = cv2.cvtColor(line, cv2.COLOR_BGR2GRAY)
    _, binary = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    ink = binary if binary.mean() <= 0.5 else 1 - binary
    return np.asarray(ink[_MARGIN_PX:-_MARGIN_PX].any(axis=0), np.bool_)


def word_spans(ink: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where words stand in a line, [start, end) columns; one span when no gap stands out.

    ink: bool [W], columns that hold ink. Gaps part words when they are at least 9 px wide and
    1.4 times as wide as every gap that does not: letters of one line are set alike.
    """
    columns = np.flatnonzero(ink)
    if len(columns) == 0:
        return []
    breaks = np.flatnonzero(np.diff(columns) > 1)
    gaps = np.diff(columns)[breaks] - 1
    ordered = sorted(gaps.tolist(), reverse=True)
    parted = [a for a, b in pairwise(ordered) if a >= _MIN_GAP_PX and a >= _MIN_RATIO * b]
    edges = breaks[gaps >= parted[0]] if parted else breaks[:0]
    starts = [int(columns[0]), *(int(columns[i + 1]) for i in edges)]
    ends = [*(int(columns[i]) + 1 for i in edges), int(columns[-1]) + 1]
    return list(zip(starts, ends, strict=True))


def _area(corners: NDArray[np.float32]) -> float:
    """Area of a polygon, float [4, 2] corners in order (shoelace formula)."""
    x, y = corners[:, 0].astype(np.float64), corners[:, 1].astype(np.float64)
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(a - b))
