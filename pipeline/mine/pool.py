"""Documents of many queries as flat arrays: candidates on their way, and lists that were chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.mine.ragged import Bools, Ints, Ragged
from pipeline.mine.top_k import Scores

Codes = NDArray[np.uint8]
FREE, LABELLED_POSITIVE = 0, 1  # why a candidate may not be a negative; guards.py has the others


@dataclass(frozen=True)
class Judged:
    """Documents of Q queries in rows of unequal length: all arrays but `offsets` are [J]."""

    offsets: Ints  # [Q + 1]
    documents: Ints
    scores: Scores
    ranks: Ints  # from 1 in the top-K; 0 when not recalled
    logits: Scores | None = None  # raw, of a reranker; None before it was asked, or without one

    @property
    def rows(self) -> Ints:
        """The query of each document."""
        return Ragged(self.offsets, self.documents).rows

    def where(self, chosen: Bools) -> Judged:
        """Only the documents `chosen` (bool [J]); rows stay, some perhaps empty."""
        offsets = np.concatenate([[0], np.cumsum(chosen)])[self.offsets].astype(np.int64)
        return Judged(offsets, self.documents[chosen], self.scores[chosen], self.ranks[chosen])

    def hardest_first(self) -> Judged:
        """The same, each row by score falling, then by document."""
        order = np.lexsort((self.documents, -self.scores, self.rows))
        return Judged(self.offsets, self.documents[order], self.scores[order], self.ranks[order])

    def followed_by(self, other: Judged) -> Judged:
        """Each row, then the same row of `other`."""
        order = np.argsort(np.concatenate([self.rows, other.rows]), kind="stable")
        return Judged(
            self.offsets + other.offsets,
            np.concatenate([self.documents, other.documents])[order],
            np.concatenate([self.scores, other.scores])[order],
            np.concatenate([self.ranks, other.ranks])[order],
        )


@dataclass(frozen=True)
class Pool:
    """Candidates for negatives: one entry a (query, document)."""

    query: Ints
    document: Ints
    score: Scores
    rank: Ints  # from 1 in the top-K; 0 when not recalled
    code: Codes  # of the guard that forbids it
    explicit: Bools | None = None  # judged irrelevant; None where nobody asks

    def where(self, chosen: Bools | Ints) -> Pool:
        """Some of the entries, or all in another order."""
        c = chosen
        explicit = None if self.explicit is None else self.explicit[c]
        return Pool(self.query[c], self.document[c], self.score[c], self.rank[c], self.code[c], explicit)

    def plus(self, other: Pool) -> Pool:
        """The entries of both."""
        known = self.explicit is not None and other.explicit is not None
        return Pool(
            np.concatenate([self.query, other.query]),
            np.concatenate([self.document, other.document]),
            np.concatenate([self.score, other.score]),
            np.concatenate([self.rank, other.rank]),
            np.concatenate([self.code, other.code]),
            np.concatenate([self.explicit, other.explicit]) if known else None,
        )

    def places(self, n: int) -> Ints:
        """The place of each entry among those of its query, from 0. Entries stand by query, of which there are n."""
        return np.arange(len(self.query)) - offsets_of(self.query, n)[self.query]

    def judged(self, n: int) -> Judged:
        """As rows of n queries. Entries stand by query."""
        return Judged(offsets_of(self.query, n), self.document, self.score, self.rank)


def offsets_of(rows: Ints, n: int) -> Ints:
    """Where each of n rows begins in the rising array `rows`, and where the last ends: int64 [n + 1]."""
    return np.searchsorted(rows, np.arange(n + 1)).astype(np.int64)
