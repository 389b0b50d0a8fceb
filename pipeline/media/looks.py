"""What a picture looks like, as a vector: pictures that share pixels are close, whatever they show.

Two parts. Local features, gathered by visual word (VLAD, Jegou et al. 2010, here over ORB bits
taken as +-1) and projected to LOCAL dimensions, do not mind crops, borders and turns. Histograms of
gradient directions in a grid (as HOG, Dalal and Triggs 2005) tell where things stand, and serve
pictures with few corners. A vector proposes; `copies.compare` decides.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media.views import View
from pipeline.models.protocols import Vectors

VERSION = 1
WORDS = 32
WORDS_FILE = Path(__file__).with_name("visual_words.npy")  # int8 [WORDS, 256], see make_visual_words.py
LOCAL = 256
GRID, DIRECTIONS = 4, 8
DIM = LOCAL + GRID * GRID * DIRECTIONS
GRID_WEIGHT = 0.5  # of a cosine of the grid part, where the local part weighs 1
_BITS = 256
_GRID_PX = 64
_SEED = 0


def signs(descriptors: NDArray[np.uint8]) -> Vectors:
    """ORB descriptors, uint8 [N, 32], as -1 and 1: float32 [N, 256]."""
    return np.unpackbits(descriptors, axis=1).astype(np.float32) * 2 - 1


def look(view: View) -> Vectors:
    """The look of a picture, float32 [DIM], of length 1; zeros for a picture of one colour."""
    return _unit(np.concatenate([_local(view.features[1]), np.float32(GRID_WEIGHT**0.5) * _grid(view)]))


@cache
def _words() -> Vectors:
    words = np.load(WORDS_FILE, allow_pickle=False)
    return np.asarray(words / np.float32(127), np.float32)


@cache
def _projection() -> Vectors:
    """A random projection keeps angles (Johnson and Lindenstrauss 1984)."""
    return np.random.default_rng(_SEED).standard_normal((WORDS * _BITS, LOCAL), dtype=np.float32)


def _local(descriptors: NDArray[np.uint8]) -> Vectors:
    if len(descriptors) == 0:
        return np.zeros(LOCAL, np.float32)
    bits, words = signs(descriptors), _words()
    nearest = np.argmax(bits @ words.T - 0.5 * (words**2).sum(axis=1), axis=1)
    rests = np.zeros((WORDS, _BITS), np.float32)
    np.add.at(rests, nearest, bits - words[nearest])
    rests = np.sign(rests) * np.sqrt(np.abs(rests))
    lengths = np.linalg.norm(rests, axis=1, keepdims=True)
    return _unit((rests / np.where(lengths > 0, lengths, 1)).ravel() @ _projection())


def _grid(view: View) -> Vectors:
    small = cv2.resize(view.luma, (_GRID_PX, _GRID_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    across, down = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    direction = ((np.arctan2(down, across) + np.pi) / (2 * np.pi) * DIRECTIONS).astype(int) % DIRECTIONS
    rows, columns = np.mgrid[0:_GRID_PX, 0:_GRID_PX] // (_GRID_PX // GRID)
    histogram = np.zeros((GRID, GRID, DIRECTIONS), np.float32)
    np.add.at(histogram, (rows, columns, direction), np.hypot(across, down))
    root = np.sqrt(histogram).ravel()
    return _unit(root - root.mean())


def _unit(vector: Vectors) -> Vectors:
    length = np.linalg.norm(vector)
    return (vector / length if length > 1e-6 else np.zeros_like(vector)).astype(np.float32)


def packed(vectors: Vectors) -> bytes:
    """Vectors, float32 [N, dim], as int8: directions to within a degree, a quarter of the bytes."""
    peak = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    whole = np.round(vectors / np.where(peak > 0, peak, 1) * 127)
    return bytes(whole.astype(np.int8).tobytes())


def unpacked(data: bytes, count: int) -> NDArray[np.int8]:
    """The int8 [count, dim] of `packed`; dim follows from the length."""
    return np.frombuffer(data, np.int8).reshape(count, -1 if count else 0)
