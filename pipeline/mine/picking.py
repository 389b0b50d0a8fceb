"""Which of the admitted candidates become the negatives of a query, and in which order they are preferred."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.config import MineSettings, Strategy
from pipeline.mine.keys import Keys, Marks, mixed
from pipeline.mine.pool import FREE, Judged, Pool, offsets_of
from pipeline.mine.ragged import Bools, Ints

RESERVE = 4  # times the negatives asked for that a query proposes, where the whole task has a say


@dataclass(frozen=True)
class Picking:
    """How many negatives a query gets, and how they are chosen."""

    negatives: int
    strategy: Strategy = "top"
    bands: int = 5
    explicit_share: float = 0.0
    distinct: bool = False
    proposed: int | None = None  # candidates kept in order of preference for `settle.py`; None: `negatives`, at once

    @classmethod
    def of(cls, settings: MineSettings) -> Picking:
        """As settings say."""
        settled = settings.max_uses is not None or settings.judge.on
        return cls(
            settings.negatives,
            settings.strategy,
            settings.bands,
            settings.explicit_share,
            settings.distinct,
            RESERVE * settings.negatives if settled else None,
        )

    @property
    def limit(self) -> int:
        """Candidates kept a query."""
        return self.negatives if self.proposed is None else self.proposed

    @property
    def hardest(self) -> bool:
        """Whether score alone decides, as in the paper."""
        return self.strategy == "top" and not self.explicit_share and not self.distinct


def pick(pool: Pool, n: int, picking: Picking, queries: Keys | None, marks: Marks | None) -> tuple[Judged, Ints]:
    """The free candidates of each of n queries that are chosen, in order of preference, and the hits.

    queries: uint64 [n], keys of the queries. A hit is a blocked candidate that would have been chosen
    if nothing were blocked, counted by code, int64 [256]. Raises ValueError when a strategy that
    draws, or diversity, is asked for without keys or marks.
    """
    if picking.hardest:
        return _hardest(pool, n, picking)
    window = picking.strategy == "window"
    every = _window(pool, queries, _known(marks)) if window else pool.where(_by_score(pool))
    order = _turns(every, n, picking)
    chosen = order.places(n) < picking.negatives
    hits = np.bincount(order.code[chosen & (order.code != FREE)], minlength=256).astype(np.int64)
    free = every.where(every.code == FREE)
    free = order if len(free.query) == len(order.query) else _turns(free, n, picking)
    if picking.distinct:
        free = free.where(_first_of_group(free, _known(marks).group))
    return free.where(free.places(n) < picking.limit).judged(n), hits


def _by_score(pool: Pool) -> Ints:
    return np.asarray(np.lexsort((pool.document, -pool.score, pool.query)), np.int64)


def _turns(pool: Pool, n: int, picking: Picking) -> Pool:
    """The candidates in order of preference. pool: by query, each query's by score or as drawn."""
    if picking.strategy == "spread":
        pool = _spread(pool, n, picking.bands)
    return _explicit_first(pool, n, picking) if picking.explicit_share else pool


def _known(marks: Marks | None) -> Marks:
    if marks is None:
        raise ValueError("this way of picking needs the marks of queries and documents")
    return marks


def _window(pool: Pool, queries: Keys | None, marks: Marks) -> Pool:
    """In the order of a number drawn for each (query, document): a uniform sample without replacement."""
    if queries is None:
        raise ValueError("drawing from a window needs the keys of the queries")
    drawn = mixed(queries[pool.query] ^ marks.document[pool.document])
    return pool.where(np.lexsort((pool.document, drawn, pool.query)))


def _spread(pool: Pool, n: int, bands: int) -> Pool:
    """One of each band of scores in turn, hardest band first, hardest first within a band.

    The bands of a query are of equal width between its hardest and its easiest candidate. pool: by
    query, hardest first.
    """
    offsets = offsets_of(pool.query, n)
    some = offsets[1:] > offsets[:-1]
    hardest, easiest = np.zeros(n), np.zeros(n)
    hardest[some], easiest[some] = pool.score[offsets[:-1][some]], pool.score[offsets[1:][some] - 1]
    width = (hardest - easiest)[pool.query]
    below = hardest[pool.query] - pool.score
    share = np.divide(below, width, out=np.zeros_like(below), where=width > 0)
    band = np.minimum((share * bands).astype(np.int64), bands - 1)
    # Sorted by query and band already: the place within a band counts from its first.
    start = offsets_of(pool.query * bands + band, n * bands)
    turn = np.arange(len(band)) - start[pool.query * bands + band]
    return pool.where(np.lexsort((band, turn, pool.query)))


def _explicit_first(pool: Pool, n: int, picking: Picking) -> Pool:
    """Move the first explicit negatives to the front, as many as the share asks for. pool: by query."""
    explicit = np.zeros(len(pool.query), bool) if pool.explicit is None else pool.explicit
    before = np.concatenate([[0], np.cumsum(explicit)])  # explicit ones before each entry
    place = before[:-1] - before[offsets_of(pool.query, n)[pool.query]]
    wanted = explicit & (place < np.ceil(picking.explicit_share * picking.negatives))
    return pool.where(np.lexsort((np.arange(len(wanted)), ~wanted, pool.query)))


def _first_of_group(pool: Pool, group: Ints) -> Bools:
    """Whether each candidate is the first of its group in its query's order."""
    keys = pool.query * (int(group.max(initial=0)) + 1) + group[pool.document]
    first = np.zeros(len(keys), bool)
    first[np.unique(keys, return_index=True)[1]] = True
    return first


def _hardest(pool: Pool, n: int, picking: Picking) -> tuple[Judged, Ints]:
    """The first free candidates of each query, by score falling, then by position, and the hits."""
    near = pool.where(pool.score >= _cutoff(pool, n, picking.limit)[pool.query])
    ranked = near.where(_by_score(near))
    hit = (ranked.places(n) < picking.negatives) & (ranked.code != FREE)
    hits = np.bincount(ranked.code[hit], minlength=256).astype(np.int64)
    free = ranked.where(ranked.code == FREE)
    return free.where(free.places(n) < picking.limit).judged(n), hits


def _cutoff(pool: Pool, n: int, cap: int) -> NDArray[np.float64]:
    """A score below which no candidate of each query can be among the first `cap`, float64 [n].

    Recalled documents stand in falling order of score, so it is that of the `cap`-th free one:
    most candidates need not be sorted.
    """
    free = pool.where((pool.code == FREE) & (pool.rank > 0))
    offsets = offsets_of(free.query, n)
    last = offsets[:-1] + cap - 1
    there = (last < offsets[1:]) & (cap > 0)
    cutoff = np.full(n, -np.inf if cap else np.inf)
    cutoff[there] = free.score[last[there]]
    return cutoff
