"""Clustered random vectors with planted positives, for the benchmarks of mining."""

from __future__ import annotations

import numpy as np

from pipeline.mine.ragged import Ints
from pipeline.models.protocols import Vectors

CLUSTER = 100  # documents
SPREAD = 0.8  # length of a document's own part beside its cluster's
NOISE = 0.5  # length of what a query adds to its positive


def unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def planted(queries: int, docs: int, dim: int, seed: int) -> tuple[Vectors, Vectors, Ints]:
    """Documents in clusters, and queries near one document each: vectors and the positives' positions."""
    rng = np.random.default_rng(seed)

    def noise(n: int) -> Vectors:
        return unit(rng.standard_normal((n, dim), dtype=np.float32))

    corpus = unit(noise(max(1, docs // CLUSTER))[rng.integers(0, max(1, docs // CLUSTER), docs)] + SPREAD * noise(docs))
    positives = rng.integers(0, docs, queries)
    return unit(corpus[positives] + NOISE * noise(queries)), corpus, positives
