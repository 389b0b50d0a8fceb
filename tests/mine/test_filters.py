from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config import MineSettings
from pipeline.mine.filters import (
    Filter,
    Positives,
    absolute_margin,
    admitted,
    at_least,
    at_most,
    filters_of,
    paper,
    percent_of_positive,
    relative_margin,
    shifted,
)

GRID = st.integers(-8, 8).map(lambda n: n / 8)  # exact in float32: no rounding decides a comparison
SHARE = st.integers(0, 8).map(lambda n: n / 8)
PLACES = st.integers(0, 6)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[float]], list[tuple[int, float, int]]]:
    """Scores of the refined positives of each query, and candidates: (query, score, rank)."""
    positives = draw(st.lists(st.lists(GRID, max_size=3), min_size=1, max_size=4))
    one = st.tuples(st.integers(0, len(positives) - 1), GRID, st.integers(0, 6))
    return positives, draw(st.lists(one, max_size=12))


def ask(wanted: Filter, case: tuple[list[list[float]], list[tuple[int, float, int]]]) -> list[bool]:
    positives, candidates = case
    nan = float("nan")
    told = Positives(
        np.array([sum(p) / len(p) if p else nan for p in positives]),
        np.array([min(p) if p else nan for p in positives]),
        np.array([max(p) if p else nan for p in positives]),
        np.array([q for q, _, _ in candidates], np.int64),
    )
    scores = np.array([s for _, s, _ in candidates], np.float32)
    return [bool(b) for b in wanted(told, scores, np.array([r for _, _, r in candidates], np.int64))]


@given(cases(), GRID)
def test_paper_is_below_the_mean_plus_a_signed_margin(case, margin) -> None:  # type: ignore[no-untyped-def]
    positives, candidates = case
    expected = [bool(positives[q]) and s < sum(positives[q]) / len(positives[q]) + margin for q, s, _ in candidates]
    assert ask(paper(margin), case) == expected


@given(cases(), SHARE, st.sampled_from(["min", "mean", "max"]))
def test_margins_and_percent_agree_with_their_formulas(case, share, which) -> None:  # type: ignore[no-untyped-def]
    positives, candidates = case
    of = {"min": min, "max": max, "mean": lambda p: sum(p) / len(p)}[which]
    expected: dict[str, list[bool]] = {"absolute": [], "relative": [], "percent": []}
    for q, s, _ in candidates:
        p = of(positives[q]) if positives[q] else None
        expected["absolute"].append(p is not None and s <= p - share)
        expected["relative"].append(p is not None and s <= p - share * abs(p))
        expected["percent"].append(p is not None and s <= share * p)
    assert ask(absolute_margin(share, which), case) == expected["absolute"]
    assert ask(relative_margin(share, which), case) == expected["relative"]
    assert ask(percent_of_positive(share, which), case) == expected["percent"]


@given(cases(), PLACES, GRID)
def test_shift_and_limits_look_at_ranks_and_scores_alone(case, skipped, limit) -> None:  # type: ignore[no-untyped-def]
    _, candidates = case
    assert ask(shifted(skipped), case) == [r == 0 or r > skipped for _, _, r in candidates]
    assert ask(at_most(limit), case) == [s <= limit for _, s, _ in candidates]
    assert ask(at_least(limit), case) == [s >= limit for _, s, _ in candidates]


@given(cases(), GRID, GRID)
def test_filters_of_a_run_must_all_agree(case, margin, limit) -> None:  # type: ignore[no-untyped-def]
    chosen = (paper(margin), at_most(limit), shifted(2))
    both = ask(lambda p, s, r: admitted(chosen, p, s, r), case)
    assert both == [all(said) for said in zip(*(ask(f, case) for f in chosen), strict=True)]


@given(cases(), SHARE)
def test_a_relative_margin_is_the_percent_that_is_left_of_positives_above_zero(case, share) -> None:  # type: ignore[no-untyped-def]
    positives = [[abs(s) for s in p] for p in case[0]]
    one, two = relative_margin(share, "min"), percent_of_positive(1 - share, "min")
    assert ask(one, (positives, case[1])) == ask(two, (positives, case[1]))


def test_the_default_is_the_papers_rule_alone() -> None:
    (only,) = filters_of(MineSettings())
    case = ([[0.5]], [(0, 0.5, 1), (0, 0.625, 2)])
    assert ask(only, case) == [True, False]  # 0.5 + 0.1


def test_without_a_rule_whatever_a_kept_query_recalled_is_admitted() -> None:
    (only,) = filters_of(MineSettings(rule=()))
    assert ask(only, ([[0.5], []], [(0, 0.9, 1), (1, 0.1, 1)])) == [True, False]


def test_settings_name_several_rules() -> None:
    chosen = filters_of(MineSettings(rule=("relative", "absolute"), relative_margin=0.5, absolute_margin=0.25))
    case = ([[0.5, 1.0]], [(0, 0.25, 1), (0, 0.375, 2)])  # min 0.5
    assert ask(lambda p, s, r: admitted(chosen, p, s, r), case) == [True, False]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rule": ("relative",)}, "give relative_margin too"),
        ({"percent_of_positive": 0.95}, "add percent to it"),
        ({"skip_ranks": 100}, "recall more"),
        ({"min_score": 0.5, "max_score": 0.4}, "no score lies between"),
    ],
)
def test_numbers_that_do_not_fit_are_an_error(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        MineSettings(**settings)  # type: ignore[arg-type]
