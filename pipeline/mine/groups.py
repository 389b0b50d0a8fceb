"""Near-duplicate groups of documents: connected components over same text, look and vector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.config import GuardSettings
from pipeline.mine.products import TILE_COLUMNS, TILE_ROWS, Arithmetic, best_arithmetic, multiply
from pipeline.mine.ragged import Bools, Ints, Ragged, spread
from pipeline.mine.top_k import pair_scores
from pipeline.models.protocols import Vectors

AXES = 63  # dimensions of the bound by which pairs of vectors are sifted
SAMPLE = 4096  # vectors that the axes are fitted to
HASHES_A_BLOCK = 1024
EDGES_A_BATCH = 1 << 16
ROUNDING = 1e-4  # float32 error of a bound, with room


@dataclass(frozen=True)
class Edges:
    """Pairs of documents that belong together, int64 [E] each."""

    first: Ints
    second: Ints


def near_duplicate_groups(
    content: Ints, vectors: Vectors, readable: Bools, fingerprints: Ragged, settings: GuardSettings
) -> Ints:
    """The smallest position of each document's group, int64 [N]; its own when alone.

    content: int64 [N], equal for documents of equal content. vectors: float32 [N, dim], of length 1
    where `readable`. fingerprints: perceptual hashes of each document's frames, empty where
    unknown. Only equal content groups when `settings.near_duplicate` is off.
    """
    forest = Forest(len(content))
    forest.join([same_label(content)])
    if settings.near_duplicate:
        # Equal contents have equal vectors: one of each is enough.
        one = np.flatnonzero(readable & (forest.roots() == np.arange(len(content))))
        whole = len(one) == len(vectors)
        edges = near_vectors(vectors if whole else vectors[one], settings.near_duplicate_cosine)
        forest.join(Edges(one[e.first], one[e.second]) for e in edges)
        forest.join(near_pictures(fingerprints, settings.max_hamming_bits))
    return forest.roots()


def similar_queries(content: Ints, vectors: Vectors, readable: Bools, settings: GuardSettings) -> Ints | None:
    """The smallest position of each query's group, int64 [Q]: same content, where `settings.same_query` counts it, or
    vectors whose cosine reaches `settings.similar_query_cosine`; None where that is not set."""
    if settings.similar_query_cosine is None:
        return None
    forest = Forest(len(content))
    if settings.same_query:
        forest.join([same_label(content)])
    there = np.flatnonzero(readable)
    edges = near_vectors(vectors[there], settings.similar_query_cosine)
    forest.join(Edges(there[e.first], there[e.second]) for e in edges)
    return forest.roots()


class Forest:
    """Disjoint sets of 0..n-1 that only ever join; each is known by its smallest member."""

    def __init__(self, n: int) -> None:
        self.parent = np.arange(n, dtype=np.int64)

    def roots(self) -> Ints:
        """The smallest member of each one's set, int64 [n]."""
        return self.parent.copy()

    def join(self, edges: Iterable[Edges]) -> None:
        """Join the ends of each edge; takes them in batches, so a long iterator is never held."""
        for batch in _batches(edges):
            self._join(batch)

    def _join(self, edges: Edges) -> None:
        first, second, parent = edges.first, edges.second, self.parent
        while True:
            low, high = np.minimum(parent[first], parent[second]), np.maximum(parent[first], parent[second])
            apart = low != high
            if not apart.any():
                break
            np.minimum.at(parent, high[apart], low[apart])  # hang each root below a smaller one
            while (parent[parent] != parent).any():
                parent = parent[parent]
        self.parent = parent


def _batches(edges: Iterable[Edges]) -> Iterator[Edges]:
    """The same edges, about EDGES_A_BATCH at a time."""
    waiting, count = [], 0
    for edge in edges:
        waiting.append(edge)
        count += len(edge.first)
        if count >= EDGES_A_BATCH:
            yield _concatenated(waiting)
            waiting, count = [], 0
    if waiting:
        yield _concatenated(waiting)


def _concatenated(edges: Sequence[Edges]) -> Edges:
    return Edges(np.concatenate([e.first for e in edges]), np.concatenate([e.second for e in edges]))


def same_label(label: Ints) -> Edges:
    """Join documents that share a label (int64 [N], -1 shares nothing) in a chain."""
    order = np.argsort(label, kind="stable")
    order = order[label[order] >= 0]
    linked = label[order[1:]] == label[order[:-1]]
    return Edges(order[:-1][linked], order[1:][linked])


def near_vectors(vectors: Vectors, cosine: float) -> Iterator[Edges]:
    """Pairs whose inner product reaches `cosine`, each once, the smaller position first.

    vectors: float32 or float16 [N, dim], of length 1. Exact: a pair is left out only by a bound. With z the
    coordinates on some orthonormal axes and r the length of what they miss, x.y <= z.z' + r r'
    (Cauchy-Schwarz), a product of AXES + 1 numbers instead of dim. Work grows with N squared
    over two, memory does not.
    """
    points = _sifted(vectors)
    arithmetic = best_arithmetic(points.size * len(points) / 2)
    for pairs in _batches(_possible(arithmetic, points, cosine - ROUNDING)):
        near = pair_scores(vectors, vectors, pairs.first, pairs.second) >= cosine
        yield Edges(pairs.first[near], pairs.second[near])


def _sifted(vectors: Vectors) -> Vectors:
    """Coordinates [N, axes + 1] whose inner products bound those of `vectors` from above."""
    n, dim = vectors.shape
    if dim <= AXES + 1 or n == 0:
        return np.ascontiguousarray(vectors, np.float32)
    sample = vectors[:: max(1, n // SAMPLE)].astype(np.float64)
    _, directions = np.linalg.eigh(sample.T @ sample)
    axes = np.ascontiguousarray(directions[:, -AXES:], np.float32)
    points = np.empty((n, AXES + 1), np.float32)
    for i in range(0, n, TILE_COLUMNS):
        some = vectors[i : i + TILE_COLUMNS].astype(np.float32, copy=False)
        z = some @ axes
        rest = np.einsum("nd,nd->n", some, some) - np.einsum("nd,nd->n", z, z)
        points[i : i + TILE_COLUMNS, :-1], points[i : i + TILE_COLUMNS, -1] = z, np.sqrt(np.maximum(rest, 0))
    return points


def _possible(arithmetic: Arithmetic, points: Vectors, limit: float) -> Iterator[Edges]:
    """Pairs (smaller, larger) of points whose inner product may reach `limit`, tile by tile."""
    rounded = arithmetic.rounded(points)
    for left in range(0, len(points), TILE_COLUMNS):
        columns = rounded.rows(slice(left, left + TILE_COLUMNS))
        for top in range(0, min(left + TILE_COLUMNS, len(points)), TILE_ROWS):
            rows = rounded.rows(slice(top, top + TILE_ROWS))
            tile = multiply(arithmetic, rows, columns, points.shape[1])
            first, second = tile.near(np.full(len(rows.length), limit, np.float32))
            once = first + top < second + left
            yield Edges(first[once] + top, second[once] + left)


def near_pictures(fingerprints: Ragged, max_bits: int) -> Iterator[Edges]:
    """Pairs of media that look alike.

    fingerprints: 64-bit perceptual hashes of each medium's frames (as int64, any order); one
    without hashes is like nothing. Two are alike when each frame of the one with fewer distinct
    frames has a frame of the other within `max_bits` bits.
    """
    hashes = _distinct(fingerprints)
    if len(hashes.values) == 0:
        return
    codes = hashes.values.view(np.uint8).reshape(-1, 8)
    index = faiss.IndexBinaryFlat(64)
    index.add(codes)
    for media in _media_blocks(hashes):
        yield _alike(hashes, codes, index, media, max_bits)


def _distinct(lists: Ragged) -> Ragged:
    pairs = np.unique(np.stack([lists.rows, lists.values]), axis=1) if len(lists.values) else np.zeros((2, 0), np.int64)
    return Ragged.from_pairs(pairs[0], pairs[1], len(lists))


def _media_blocks(hashes: Ragged) -> Iterator[Ints]:
    """Consecutive media, about HASHES_A_BLOCK hashes at a time."""
    block = hashes.offsets[:-1] // HASHES_A_BLOCK
    edges = np.flatnonzero(np.diff(block, prepend=-1, append=block[-1] + 1 if len(block) else 0))
    for start, end in pairwise(edges.tolist()):
        yield np.arange(start, end, dtype=np.int64)


def _alike(hashes: Ragged, codes: NDArray[np.uint8], index: faiss.IndexBinaryFlat, media: Ints, max_bits: int) -> Edges:
    lengths, owner = hashes.lengths, hashes.rows
    frames = spread(hashes.offsets[media], lengths[media])
    limits, _, matched = index.range_search(codes[frames], max_bits + 1)  # faiss keeps what lies below the radius
    frame = np.repeat(frames, np.diff(limits.astype(np.int64)))
    n = len(hashes)
    covered = np.unique(frame * n + owner[matched])  # (frame, other medium), however many frames there
    pair, count = np.unique(owner[covered // n] * n + covered % n, return_counts=True)
    first, second = pair // n, pair % n
    whole = (count == lengths[first]) & (lengths[first] <= lengths[second]) & (first != second)
    return Edges(first[whole], second[whole])


def described(group: Ints) -> dict[str, int]:
    """For the summary: the number of groups of two or more documents, and the size of the largest group."""
    sizes = np.bincount(group, minlength=1)
    return {"near_duplicate_groups": int((sizes > 1).sum()), "largest_group": int(sizes.max())}
