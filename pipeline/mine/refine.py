"""The rule: which queries stay, with which positives and which hard negatives (PAPER 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.config import MineSettings
from pipeline.mine.filters import Filter, Positives, admitted, filters_of
from pipeline.mine.keys import Keys, Marks
from pipeline.mine.picking import Picking, pick
from pipeline.mine.pool import FREE, LABELLED_POSITIVE, Codes, Judged, Pool, offsets_of
from pipeline.mine.ragged import Bools, Ints, Ragged, find
from pipeline.mine.top_k import Scores, TopK

KEPT, NO_POSITIVE_IN_TOP_K, POSITIVE_BELOW_T_POS, AMBIGUOUS, OVER_TYPE_QUOTA = range(5)
# Index: a verdict. The last is the whole task's matter (settle.py).
REASONS = ("", "no_positive_in_top_k", "positive_below_t_pos", "ambiguous", "over_type_quota")


@dataclass(frozen=True)
class Rule:
    """The numbers of the rule; `t_pos` and those of the filters are on the scale of the scores."""

    t_pos: float
    filters: tuple[Filter, ...]
    picking: Picking
    rivals: int | None = None  # more candidates than this near the positives make a query ambiguous
    epsilon: float = 0.0  # how near that is
    tells_explicit: bool = False  # whether filters or picking treat explicit negatives as such

    @classmethod
    def of(cls, settings: MineSettings) -> Rule:
        """As settings say."""
        guards = settings.guards
        told = settings.skip_ranks > 0 or settings.explicit_share > 0
        picking = Picking.of(settings)
        return cls(settings.t_pos, filters_of(settings), picking, guards.max_rivals, guards.rival_epsilon, told)


@dataclass(frozen=True)
class Candidates:
    """All that may become a positive or a negative of Q queries.

    recalled: scores (calibrated) and positions [Q, K]. labelled: the positives of each query,
    recalled or not. explicit: documents judged irrelevant, candidates even when not recalled,
    with explicit_scores float32 [E] aligned to its values. blocked uint8 [Q, K] and
    explicit_blocked uint8 [E]: the code of the guard that forbids a document, FREE for none.
    keys: uint64 [Q], of the queries, and marks, for ways of picking that ask for them.
    """

    recalled: TopK
    labelled: Ragged
    explicit: Ragged
    explicit_scores: Scores
    blocked: Codes
    explicit_blocked: Codes
    keys: Keys | None = None
    marks: Marks | None = None


@dataclass(frozen=True)
class Refined:
    """What the rule says of Q queries. Rejected ones have neither positives nor negatives."""

    verdicts: Codes  # [Q], an index of REASONS
    positives: Judged  # best first
    negatives: Judged  # in the order of preference: hardest first, where picking is plain
    mean: NDArray[np.float64]  # [Q], of the refined positives; NaN when rejected
    best_score: Scores  # [Q], of the labelled positives in the top-K; NaN when there is none
    best_rank: Ints  # [Q]; 0 when there is none
    hits: Ints  # [256], index a code: negatives that the bare rule would keep, and a guard did not
    rivals: Ints  # [Q], candidates near the positives, where the rule counts them

    def without(self, lost: Bools, verdict: int) -> Refined:
        """The same with the queries `lost` (bool [Q]) rejected by `verdict`."""
        return replace(
            self,
            verdicts=np.where(lost, verdict, self.verdicts).astype(np.uint8),
            positives=self.positives.where(~lost[self.positives.rows]),
            negatives=self.negatives.where(~lost[self.negatives.rows]),
            mean=np.where(lost, np.nan, self.mean),
        )

    @property
    def positive_scores(self) -> Positives:
        """Mean, smallest and largest score of each query's positives; of no candidates."""
        return _scores_of(self.positives, np.zeros(0, np.int64))


def refine(candidates: Candidates, rule: Rule) -> Refined:
    """Apply positive refinement and the relevance filter to the top-K of each query.

    With P(q) the labelled positives, T(q) the top-K, E(q) the explicit negatives and s the
    calibrated cosine:

        P+(q) = { p in P(q) and T(q) : s(q, p) > t_pos }          query kept iff P+(q) is not empty
        mean(q) = sum of s(q, p) over P+(q) / |P+(q)|              in float64
        N(q) = { d in (T(q) or E(q)), not in P(q), not blocked : s(q, d) < mean(q) + margin }

    and the first `negatives` of N(q), by score falling, then by position; other filters and ways of
    picking take the place of the last line. A rejected query says whether no positive was in the
    top-K, none of those there scored above `t_pos`, or more than `rivals` free candidates score
    mean(q) - epsilon or more.
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
    best_score, best_rank = _best(is_positive, top)
    pool = _pool(candidates, valid & ~is_refined, is_positive, keys, base, rule.tells_explicit)
    refined = _scores_of(positives, pool.query)
    kept = ~np.isnan(refined.mean)
    verdicts = np.where(kept, KEPT, np.where(best_rank > 0, POSITIVE_BELOW_T_POS, NO_POSITIVE_IN_TOP_K))
    rivals = np.zeros(len(kept), np.int64)
    if rule.rivals is not None:
        near = (pool.code == FREE) & (pool.score >= (refined.mean - rule.epsilon)[pool.query])
        rivals = np.bincount(pool.query[near], minlength=len(kept)).astype(np.int64)
        verdicts[kept & (rivals > rule.rivals)] = AMBIGUOUS
        positives = positives.where((verdicts == KEPT)[positives.rows])
        refined = _scores_of(positives, pool.query)

    ranks = pool.rank if pool.explicit is None else np.where(pool.explicit, 0, pool.rank)
    open_ = pool.where(admitted(rule.filters, refined, pool.score, ranks))
    negatives, hits = pick(open_, len(kept), rule.picking, candidates.keys, candidates.marks)
    return Refined(verdicts.astype(np.uint8), positives, negatives, refined.mean, best_score, best_rank, hits, rivals)


def _base(candidates: Candidates) -> int:
    """A number above every position, so that query * base + position names a pair."""
    arrays = (candidates.recalled.positions, candidates.labelled.values, candidates.explicit.values)
    return 1 + max((int(a.max()) for a in arrays if a.size), default=0)


def _among(lists: Ragged, base: int, keys: Ints) -> Bools:
    return find(np.sort(lists.rows * base + lists.values), keys) >= 0


def _judged(mask: Bools, top: TopK) -> Judged:
    rows, columns = np.nonzero(mask)
    return Judged(offsets_of(rows, len(mask)), top.positions[mask], top.scores[mask], columns + 1)


def _scores_of(positives: Judged, query: Ints) -> Positives:
    """Mean, smallest and largest score of the positives (best first) of each query."""
    starts, ends = positives.offsets[:-1], positives.offsets[1:]
    count = ends - starts
    some = count > 0
    total = np.bincount(positives.rows, weights=positives.scores.astype(np.float64), minlength=len(some))
    mean, low, high = (np.full(len(some), np.nan) for _ in range(3))
    np.divide(total, count, out=mean, where=some)
    low[some], high[some] = positives.scores[ends[some] - 1], positives.scores[starts[some]]
    return Positives(mean, low, high, query)


def _best(is_positive: Bools, top: TopK) -> tuple[Scores, Ints]:
    if is_positive.shape[1] == 0:
        return np.full(len(is_positive), np.nan, np.float32), np.zeros(len(is_positive), np.int64)
    first = is_positive.argmax(axis=1)
    rows = np.arange(len(first))
    there = is_positive[rows, first]
    return np.where(there, top.scores[rows, first], np.float32(np.nan)), np.where(there, first + 1, 0)


def _pool(
    candidates: Candidates, chosen: Bools, is_positive: Bools, keys: Ints, base: int, tells_explicit: bool
) -> Pool:
    """Every recalled document but refined positives, and explicit ones that were not recalled."""
    top, explicit = candidates.recalled, candidates.explicit
    rows, columns = np.nonzero(chosen)
    codes = np.where(is_positive, LABELLED_POSITIVE, candidates.blocked)[chosen]
    marked = _among(explicit, base, keys)[chosen] if tells_explicit else None
    recalled = Pool(rows, top.positions[chosen], top.scores[chosen], columns + 1, codes.astype(np.uint8), marked)
    if len(explicit.values) == 0:
        return recalled
    pairs = explicit.rows * base + explicit.values
    order = np.argsort(pairs, kind="stable")
    seen = find(pairs[order], keys[top.positions >= 0])
    absent = np.ones(len(pairs), bool)
    absent[order[seen[seen >= 0]]] = False
    codes = np.where(_among(candidates.labelled, base, pairs), LABELLED_POSITIVE, candidates.explicit_blocked)
    extra = Pool(
        explicit.rows,
        explicit.values,
        candidates.explicit_scores,
        np.zeros_like(pairs),
        codes.astype(np.uint8),
        np.ones(len(pairs), bool) if tells_explicit else None,
    ).where(absent)
    return recalled.plus(extra)
