"""The rule: which queries stay, with which positives and which hard negatives (PAPER 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.mine.ragged import Bools, Ints, Ragged, find
from pipeline.mine.top_k import Scores, TopK

Codes = NDArray[np.uint8]
KEPT, NO_POSITIVE_IN_TOP_K, POSITIVE_BELOW_T_POS = 0, 1, 2
REASONS = ("", "no_positive_in_top_k", "positive_below_t_pos")  # index: a verdict
FREE, LABELLED_POSITIVE = 0, 1  # why a candidate may not be a negative; guards.py has the others


@dataclass(frozen=True)
class Rule:
    """The numbers of the rule; `t_pos` and `margin` are on the scale of the scores."""

    t_pos: float
    margin: float  # delta, signed
    negatives: int  # kept a query, at most


@dataclass(frozen=True)
class Candidates:
    """All that may become a positive or a negative of Q queries.

    recalled: scores (calibrated) and positions [Q, K]. labelled: the positives of each query,
    recalled or not. explicit: documents judged irrelevant, candidates even when not recalled,
    with explicit_scores float32 [E] aligned to its values. blocked uint8 [Q, K] and
    explicit_blocked uint8 [E]: the code of the guard that forbids a document, FREE for none.
    """

    recalled: TopK
    labelled: Ragged
    explicit: Ragged
    explicit_scores: Scores
    blocked: Codes
    explicit_blocked: Codes


@dataclass(frozen=True)
class Judged:
    """Documents of Q queries in rows of unequal length: all arrays but `offsets` are [J]."""

    offsets: Ints  # [Q + 1]
    documents: Ints
    scores: Scores
    ranks: Ints  # from 1 in the top-K; 0 when not recalled

    @property
    def rows(self) -> Ints:
        """The query of each document."""
        return Ragged(self.offsets, self.documents).rows


@dataclass(frozen=True)
class Refined:
    """What the rule says of Q queries. Rejected ones have neither positives nor negatives."""

    verdicts: Codes  # [Q], an index of REASONS
    positives: Judged  # best first
    negatives: Judged  # hardest first
    mean: NDArray[np.float64]  # [Q], of the refined positives; NaN when rejected
    best_score: Scores  # [Q], of the labelled positives in the top-K; NaN when there is none
    best_rank: Ints  # [Q]; 0 when there is none
    hits: Ints  # [256], index a code: negatives that the bare rule would keep, and a guard did not


def refine(candidates: Candidates, rule: Rule) -> Refined:
    """Apply positive refinement and the relevance filter to the top-K of each query.

    With P(q) the labelled positives, T(q) the top-K, E(q) the explicit negatives and s the
    calibrated cosine:

        P+(q) = { p in P(q) and T(q) : s(q, p) > t_pos }          query kept iff P+(q) is not empty
        mean(q) = sum of s(q, p) over P+(q) / |P+(q)|              in float64
        N(q) = { d in (T(q) or E(q)), not in P(q), not blocked : s(q, d) < mean(q) + margin }

    and the first `negatives` of N(q), by score falling, then by position. A rejected query says
    whether no positive was in the top-K or none of those there scored above `t_pos`.
    Raises ValueError on a NaN score. Source: Qwen3-VL-Embedding report, section 3.3.
    """
    top, base = candidates.recalled, _base(candidates)
    valid = top.positions >= 0
    if np.isnan(top.scores[valid]).any() or np.isnan(candidates.explicit_scores).any():
        raise ValueError("a score is NaN; check the vectors that were searched")
    keys = np.arange(len(top.scores), dtype=np.int64)[:, None] * base + top.positions
    is_positive = _among(candidates.labelled, base, keys) & valid
    is_refined = is_positive & (top.scores > rule.t_pos)

    positives = _judged(is_refined, top)
    count = positives.offsets[1:] - positives.offsets[:-1]
    kept = count > 0
    total = np.bincount(positives.rows, weights=positives.scores.astype(np.float64), minlength=len(kept))
    mean = np.divide(total, count, out=np.full(len(kept), np.nan), where=kept)
    best_score, best_rank = _best(is_positive, top)

    pool = _pool(candidates, valid & ~is_refined, is_positive, keys, base)
    negatives, hits = _hardest(pool, mean + rule.margin, rule.negatives)
    verdicts = np.where(kept, KEPT, np.where(best_rank > 0, POSITIVE_BELOW_T_POS, NO_POSITIVE_IN_TOP_K))
    return Refined(verdicts.astype(np.uint8), positives, negatives, mean, best_score, best_rank, hits)


@dataclass(frozen=True)
class _Pool:
    """Candidates for negatives, flat: one entry a (query, document)."""

    query: Ints
    document: Ints
    score: Scores
    rank: Ints
    code: Codes

    def where(self, chosen: Bools | Ints) -> _Pool:
        c = chosen
        return _Pool(self.query[c], self.document[c], self.score[c], self.rank[c], self.code[c])

    def plus(self, other: _Pool) -> _Pool:
        return _Pool(
            np.concatenate([self.query, other.query]),
            np.concatenate([self.document, other.document]),
            np.concatenate([self.score, other.score]),
            np.concatenate([self.rank, other.rank]),
            np.concatenate([self.code, other.code]),
        )


def _base(candidates: Candidates) -> int:
    """A number above every position, so that query * base + position names a pair."""
    arrays = (candidates.recalled.positions, candidates.labelled.values, candidates.explicit.values)
    return 1 + max((int(a.max()) for a in arrays if a.size), default=0)


def _among(lists: Ragged, base: int, keys: Ints) -> Bools:
    return find(np.sort(lists.rows * base + lists.values), keys) >= 0


def _judged(mask: Bools, top: TopK) -> Judged:
    rows, columns = np.nonzero(mask)
    return Judged(_offsets(rows, len(mask)), top.positions[mask], top.scores[mask], columns + 1)


def _offsets(rows: Ints, n: int) -> Ints:
    return np.searchsorted(rows, np.arange(n + 1)).astype(np.int64)


def _best(is_positive: Bools, top: TopK) -> tuple[Scores, Ints]:
    if is_positive.shape[1] == 0:
        return np.full(len(is_positive), np.nan, np.float32), np.zeros(len(is_positive), np.int64)
    first = is_positive.argmax(axis=1)
    rows = np.arange(len(first))
    there = is_positive[rows, first]
    return np.where(there, top.scores[rows, first], np.float32(np.nan)), np.where(there, first + 1, 0)


def _pool(candidates: Candidates, chosen: Bools, is_positive: Bools, keys: Ints, base: int) -> _Pool:
    """Every recalled document but refined positives, and explicit ones that were not recalled."""
    top, explicit = candidates.recalled, candidates.explicit
    rows, columns = np.nonzero(chosen)
    codes = np.where(is_positive, LABELLED_POSITIVE, candidates.blocked)[chosen]
    recalled = _Pool(rows, top.positions[chosen], top.scores[chosen], columns + 1, codes.astype(np.uint8))
    if len(explicit.values) == 0:
        return recalled
    pairs = explicit.rows * base + explicit.values
    order = np.argsort(pairs, kind="stable")
    seen = find(pairs[order], keys[top.positions >= 0])
    absent = np.ones(len(pairs), bool)
    absent[order[seen[seen >= 0]]] = False
    codes = np.where(_among(candidates.labelled, base, pairs), LABELLED_POSITIVE, candidates.explicit_blocked)
    extra = _Pool(
        explicit.rows, explicit.values, candidates.explicit_scores, np.zeros_like(pairs), codes.astype(np.uint8)
    ).where(absent)
    return recalled.plus(extra)


def _hardest(pool: _Pool, limit: NDArray[np.float64], cap: int) -> tuple[Judged, Ints]:
    """The first `cap` free candidates of each query below its `limit` (NaN: none), and the hits.

    A hit is a blocked candidate that would stand among the first `cap` if nothing were blocked.
    """
    below = pool.where(pool.score < limit[pool.query])
    below = below.where(below.score >= _cutoff(below, len(limit), cap)[below.query])
    ranked = below.where(np.lexsort((below.document, -below.score, below.query)))
    starts = _offsets(ranked.query, len(limit))
    place = np.arange(len(ranked.query)) - starts[ranked.query]
    hits = np.bincount(ranked.code[(place < cap) & (ranked.code != FREE)], minlength=256)
    free = ranked.where(ranked.code == FREE)
    offsets = _offsets(free.query, len(limit))
    first = free.where(np.arange(len(free.query)) - offsets[free.query] < cap)
    return Judged(_offsets(first.query, len(limit)), first.document, first.score, first.rank), hits.astype(np.int64)


def _cutoff(pool: _Pool, n: int, cap: int) -> NDArray[np.float64]:
    """A score below which no candidate of each query can be among the first `cap`, float64 [n].

    Recalled documents stand in falling order of score, so it is that of the `cap`-th free one:
    most candidates need not be sorted.
    """
    free = pool.where((pool.code == FREE) & (pool.rank > 0))
    offsets = _offsets(free.query, n)
    last = offsets[:-1] + cap - 1
    there = (last < offsets[1:]) & (cap > 0)
    cutoff = np.full(n, -np.inf if cap else np.inf)
    cutoff[there] = free.score[last[there]]
    return cutoff
