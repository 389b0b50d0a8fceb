"""A guard by vectors: of what a query recalls, the documents most like its positives are likely right as well.

Each query drops its own nearest ones, a share of what it recalled, not those above some cosine: how alike two documents
are is measured on another scale for each model, and for pictures on another than for texts.
"""

from __future__ import annotations

import numpy as np

from pipeline.mine.ragged import Bools, Ints, Ragged, spread
from pipeline.mine.top_k import Scores, pair_scores
from pipeline.models.protocols import Vectors

PAIRS = 1 << 20  # scored at once


def near_positives(corpus: Vectors, recalled: Ints, positives: Ragged, share: float) -> Bools:
    """Which recalled documents lie nearest to a positive of their query, bool [Q, K].

    corpus: [N, dim]. recalled: int64 [Q, K], rows of the corpus, -1 for none. positives: rows of the corpus, of each
    query. share: 0..1; of n documents recalled beside the positives floor(share * n) are marked, by largest inner
    product with any positive, then by rank. A query without a positive marks none.
    """
    others = recalled >= 0
    rows, columns = np.nonzero(others)
    others[rows, columns] = ~positives.holds(rows, recalled[rows, columns])
    likeness = _likeness(corpus, recalled, positives, others)
    allowed = np.floor(others.sum(axis=1) * share).astype(np.int64)
    order = np.argsort(np.argsort(-likeness, axis=1, kind="stable"), axis=1)
    marked: Bools = others & (order < allowed[:, None]) & (positives.lengths > 0)[:, None]
    return marked


def _likeness(corpus: Vectors, recalled: Ints, positives: Ragged, asked: Bools) -> Scores:
    """The largest inner product of each document asked about with a positive; -inf elsewhere, float32 [Q, K]."""
    likeness = np.full(recalled.shape, -np.inf, np.float32)
    rows, columns = np.nonzero(asked)
    counts = positives.lengths[rows]
    step = max(1, PAIRS // max(1, int(counts.max(initial=1))))
    for i in range(0, len(rows), step):
        at = slice(i, i + step)
        first = positives.values[spread(positives.offsets[rows[at]], counts[at])]
        row, column = np.repeat(rows[at], counts[at]), np.repeat(columns[at], counts[at])
        np.maximum.at(likeness, (row, column), pair_scores(corpus, corpus, first, recalled[row, column]))
    return likeness
