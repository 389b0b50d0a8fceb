"""The colours that a text names, on the scale of `media.colours.colour_shares`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from pipeline.media.colours import COLOURS
from pipeline.models.protocols import Vectors

_WORD = re.compile(r"[a-z]+")
_SPELLINGS = {"gray": "grey"}


def colour_words(texts: Sequence[str]) -> Vectors:
    """Equal shares for each basic colour word that stands in a text: float32 [N, 11] in the order of
    COLOURS; rows sum to 1, or to 0 for a text that names no colour."""
    shares = np.zeros((len(texts), len(COLOURS)), np.float32)
    for row, text in zip(shares, texts, strict=True):
        words = {_SPELLINGS.get(w, w) for w in _WORD.findall(text.lower())}
        row[:] = [colour in words for colour in COLOURS]
    return np.asarray(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1), np.float32)
