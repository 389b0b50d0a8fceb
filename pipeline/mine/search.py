"""Exact search: every pair multiplied quickly once, the promising ones exactly, the best kept.

Memory is set by the sizes below and by the number of queries times K, never by the corpus,
which is read once from front to back: it may be a file mapped into memory, float32 or float16.
"""

from __future__ import annotations

import numpy as np

from pipeline.mine.products import TILE_COLUMNS, TILE_ROWS, Arithmetic, Rounded, best_arithmetic, multiply
from pipeline.mine.ragged import Ints
from pipeline.mine.top_k import ABSENT, Keys, Scores, TopK, keys_of, pair_scores, smallest
from pipeline.models.protocols import Vectors

PAIRS = 1 << 22  # pairs, or keys, held at once when a floor lets many through


def search(
    queries: Vectors, corpus: Vectors, k: int, floors: Scores | None = None, arithmetic: Arithmetic | None = None
) -> TopK:
    """The K documents of each query with the largest inner products.

    queries: float32 [Q, dim]. corpus: float32 or float16 [N, dim], whose values in float32 count.
    floors: float32 [Q], numbers that K documents elsewhere reach, so that what scores less need
    not be found here. Raises ValueError when the dimensions differ.
    """
    queries = np.ascontiguousarray(queries, np.float32)
    if len(queries) and len(corpus) and queries.shape[1] != corpus.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} dimensions, documents {corpus.shape[1]}")
    best = np.full((len(queries), k), ABSENT, np.uint64)
    if len(queries) == 0 or len(corpus) == 0:
        return TopK.of_keys(best)
    floors = np.full(len(queries), -np.inf, np.float32) if floors is None else floors
    arithmetic = arithmetic or best_arithmetic(float(queries.size) * len(corpus))
    short = arithmetic.rounded(queries)
    for start in range(0, len(corpus), TILE_COLUMNS):
        documents = np.ascontiguousarray(corpus[start : start + TILE_COLUMNS], np.float32)
        rounded = arithmetic.rounded(documents)
        for top in range(0, len(queries), TILE_ROWS):
            block = slice(top, top + TILE_ROWS)
            found = _Block(queries[block], short.rows(block), best[block], floors[block])
            best[block] = found.with_documents(arithmetic, documents, rounded, start)
    return TopK.of_keys(best)


class _Block:
    """Some queries and the best they have found so far."""

    def __init__(self, queries: Vectors, short: Rounded, best: Keys, floors: Scores) -> None:
        self.queries, self.short, self.best, self.floors = queries, short, best, floors

    def with_documents(self, arithmetic: Arithmetic, documents: Vectors, rounded: Rounded, offset: int) -> Keys:
        """The best of before and of these documents, whose first has the position `offset`."""
        k = self.best.shape[1]
        tile = multiply(arithmetic, self.short, rounded, documents.shape[1])
        reached = TopK.of_keys(self.best[:, -1:]).scores[:, 0]
        floors = np.maximum(reached, self.floors)
        if np.isneginf(floors).any():
            floors = np.maximum(floors, tile.floor_of_k(k))
        rows, columns = tile.near(floors)
        merged = self.best.copy()
        for part in _parts(rows, PAIRS):
            keys = self._keys(documents, rows[part], columns[part], offset)
            _merge(merged, rows[part], keys)
        return merged

    def _keys(self, documents: Vectors, rows: Ints, columns: Ints, offset: int) -> Keys:
        return keys_of(pair_scores(self.queries, documents, rows, columns), columns + offset)


def _parts(rows: Ints, size: int) -> list[slice]:
    return [slice(i, i + size) for i in range(0, len(rows), size)]


def _merge(best: Keys, rows: Ints, keys: Keys) -> None:
    """Let the keys compete with the best of their rows (int64, rising); edits `best`."""
    k = best.shape[1]
    counts = np.bincount(rows, minlength=len(best))
    starts = np.cumsum(counts) - counts
    asked = np.flatnonzero(counts)
    step = max(1, PAIRS // (k + int(counts.max(initial=0))))
    for i in range(0, len(asked), step):
        some = asked[i : i + step]
        width = int(counts[some].max())
        room = np.full((len(some), k + width), ABSENT, np.uint64)
        room[:, :k] = best[some]
        first, last = starts[some[0]], starts[some[-1]] + counts[some[-1]]
        place = np.arange(first, last) - np.repeat(starts[some], counts[some])
        room[np.repeat(np.arange(len(some)), counts[some]), k + place] = keys[first:last]
        best[some] = smallest(room, k)
