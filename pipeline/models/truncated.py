"""Shorter vectors from any embedder: the first values of each, normalised again.

Worth something where the model was trained for it: Matryoshka representation learning (Kusupati et
al. 2022, arXiv 2205.13147), as Qwen3-VL-Embedding was.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.errors import ModelError
from pipeline.models.protocols import Embedder, Item, Vectors


def truncated(vectors: Vectors, dim: int) -> Vectors:
    """The first `dim` values of each row of float32 [N, >= dim], divided by their length."""
    cut = vectors[:, :dim]
    return np.asarray(cut / np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), 1e-12), np.float32)


class Truncated:
    """An embedder whose vectors are cut to `dim` values."""

    def __init__(self, embedder: Embedder, dim: int, model: str) -> None:
        if dim > embedder.dim:
            fits = f"{embedder.dim} values; use {embedder.dim} or less"
            raise ModelError(f"dim is {dim}, but the vectors of {model} have {fits}")
        self._embedder, self.dim = embedder, dim
        self.fingerprint = f"{embedder.fingerprint}:dim{dim}"

    def embed(self, items: Sequence[Item], instruction: str = "") -> Vectors:
        """Return float32 [N, dim], L2-normalised."""
        return truncated(self._embedder.embed(items, instruction), self.dim)
