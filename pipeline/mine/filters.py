"""What may stand between a negative and the positives: filters people know by name, pure functions of one shape.

A filter takes the scores of the refined positives, and the scores and ranks of candidates; it
says of each candidate whether it may be a negative. All filters of a run must agree.
docs/mining.md says which equals what in other miners.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.config import MineSettings
from pipeline.mine.ragged import Bools, Ints
from pipeline.mine.top_k import Scores

Which = Literal["mean", "min", "max"]


@dataclass(frozen=True)
class Positives:
    """Scores of the refined positives of Q queries, float64 [Q] each, NaN for a query without one.

    query: int64 [C], whose candidate each is.
    """

    mean: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    query: Ints

    def score(self, which: Which) -> NDArray[np.float64]:
        """One of the three, [Q]."""
        return {"mean": self.mean, "min": self.min, "max": self.max}[which]


# (positives, scores float32 [C], ranks int64 [C]: from 1, 0 where a rank says nothing) -> bool [C].
# Of a query without a refined positive a filter on positives admits nothing.
Filter = Callable[[Positives, Scores, Ints], Bools]


def paper(margin: float) -> Filter:
    """s < mean + margin. Source: Qwen3-VL-Embedding report, section 3.3, where the margin is signed."""
    return lambda positives, scores, _: scores < (positives.mean + margin)[positives.query]


def absolute_margin(margin: float, which: Which) -> Filter:
    """s <= positive - margin. Source: TopK-MarginPos of NV-Retriever (arXiv 2407.15831)."""
    return lambda positives, scores, _: scores <= (positives.score(which) - margin)[positives.query]


def relative_margin(margin: float, which: Which) -> Filter:
    """s <= positive - margin * |positive|: a margin in parts of the positive's score, whatever its sign."""

    def admits(positives: Positives, scores: Scores, _: Ints) -> Bools:
        positive = positives.score(which)
        return np.asarray(scores <= (positive - margin * np.abs(positive))[positives.query])

    return admits


def percent_of_positive(share: float, which: Which) -> Filter:
    """s <= share * positive. Source: TopK-PercPos of NV-Retriever (arXiv 2407.15831)."""
    return lambda positives, scores, _: scores <= (share * positives.score(which))[positives.query]


def shifted(ranks_skipped: int) -> Filter:
    """rank > ranks_skipped: the nearest documents are the likeliest to be right (top-k shifted by N)."""
    return lambda _, __, ranks: (ranks == 0) | (ranks > ranks_skipped)


def at_most(score: float) -> Filter:
    """s <= score. Source: TopK-Abs of NV-Retriever (arXiv 2407.15831)."""
    return lambda _, scores, __: scores <= score


def at_least(score: float) -> Filter:
    """s >= score: nothing so far away that it teaches nothing."""
    return lambda _, scores, __: scores >= score


def anything() -> Filter:
    """Any candidate of a query with a refined positive."""
    return lambda positives, _, __: ~np.isnan(positives.mean)[positives.query]


def filters_of(settings: MineSettings) -> tuple[Filter, ...]:
    """The filters that settings name, at least one of which looks at the positives."""
    which = settings.positive
    found = [paper(settings.margin)] if "paper" in settings.rule else []
    if settings.absolute_margin is not None:
        found.append(absolute_margin(settings.absolute_margin, which))
    if settings.relative_margin is not None:
        found.append(relative_margin(settings.relative_margin, which))
    if settings.percent_of_positive is not None:
        found.append(percent_of_positive(settings.percent_of_positive, which))
    found = found or [anything()]
    if settings.skip_ranks:
        found.append(shifted(settings.skip_ranks))
    if settings.max_score is not None:
        found.append(at_most(settings.max_score))
    if settings.min_score is not None:
        found.append(at_least(settings.min_score))
    return tuple(found)


def admitted(filters: Sequence[Filter], positives: Positives, scores: Scores, ranks: Ints) -> Bools:
    """The candidates that every filter admits, bool [C]."""
    mask = filters[0](positives, scores, ranks)
    for one in filters[1:]:
        mask = mask & one(positives, scores, ranks)
    return mask
