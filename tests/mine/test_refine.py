from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mine.filters import paper as paper_filter
from pipeline.mine.picking import Picking
from pipeline.mine.pool import FREE, LABELLED_POSITIVE
from pipeline.mine.ragged import Ragged
from pipeline.mine.refine import KEPT, REASONS, Candidates, Refined
from pipeline.mine.refine import Rule as AnyRule
from pipeline.mine.refine import refine as refine_by
from pipeline.mine.top_k import TopK

GUARD = 3


@dataclass(frozen=True)
class Rule:
    """The paper's three numbers."""

    t_pos: float
    margin: float
    negatives: int


def refine(candidates: Candidates, rule: Rule) -> Refined:
    return refine_by(candidates, AnyRule(rule.t_pos, (paper_filter(rule.margin),), Picking(rule.negatives)))


@dataclass(frozen=True)
class Query:
    """One query in plain terms: scored documents, of which the first K are recalled."""

    recalled: list[tuple[int, float]]  # (document, score), best first
    positives: set[int]
    explicit: dict[int, float]
    blocked: set[int]


def paper(q: Query, rule: Rule) -> tuple[str, list[int], list[int]]:
    """Section 3.3, word for word: reason, refined positives, hard negatives."""
    in_top_k = [(d, s) for d, s in q.recalled if d in q.positives]
    refined = [(d, s) for d, s in in_top_k if s > rule.t_pos]
    if not refined:
        return ("positive_below_t_pos" if in_top_k else "no_positive_in_top_k", [], [])
    mean = sum(s for _, s in refined) / len(refined)
    candidates = {**q.explicit, **dict(q.recalled)}
    allowed = [(d, s) for d, s in candidates.items() if d not in q.positives and d not in q.blocked]
    hard = sorted(((d, s) for d, s in allowed if s < mean + rule.margin), key=lambda c: (-c[1], c[0]))
    return "", [d for d, _ in refined], [d for d, _ in hard[: rule.negatives]]


def candidates(queries: list[Query], k: int) -> Candidates:
    scores = np.full((len(queries), k), -np.inf, np.float32)
    positions = np.full((len(queries), k), -1, np.int64)
    blocked = np.full((len(queries), k), FREE, np.uint8)
    for i, q in enumerate(queries):
        for j, (document, score) in enumerate(q.recalled):
            scores[i, j], positions[i, j] = score, document
            blocked[i, j] = GUARD if document in q.blocked else FREE

    def ragged(sets: list[list[int]]) -> Ragged:
        rows = np.array([i for i, s in enumerate(sets) for _ in s], np.int64)
        return Ragged.from_pairs(rows, np.array([v for s in sets for v in s], np.int64), len(sets))

    explicit = ragged([sorted(q.explicit) for q in queries])
    pairs = list(zip(explicit.rows.tolist(), explicit.values.tolist(), strict=True))
    return Candidates(
        TopK(scores, positions),
        ragged([sorted(q.positives) for q in queries]),
        explicit,
        np.array([queries[i].explicit[d] for i, d in pairs], np.float32),
        blocked,
        np.array([GUARD if d in queries[i].blocked else FREE for i, d in pairs], np.uint8),
    )


def documents(refined: Refined, kind: str, i: int) -> list[int]:
    judged = getattr(refined, kind)
    return [int(d) for d in judged.documents[judged.offsets[i] : judged.offsets[i + 1]]]


GRID = st.integers(-8, 8).map(lambda n: n / 8)  # exact in float32: no rounding decides a comparison
RULES = st.builds(Rule, t_pos=GRID, margin=GRID, negatives=st.integers(0, 6))


@st.composite
def query(draw: st.DrawFn) -> Query:
    n, k = 12, draw(st.integers(0, 6))
    scores = draw(st.lists(GRID, min_size=n, max_size=n))
    some = st.sets(st.integers(0, n - 1), max_size=4)
    positives = draw(some)
    ranked = sorted(enumerate(scores), key=lambda c: (-c[1], c[0]))[:k]
    return Query(ranked, positives, {d: scores[d] for d in draw(some) - positives}, draw(some))


QUERIES = st.lists(query(), min_size=1, max_size=6)
K = 6


@given(QUERIES, RULES)
def test_the_rule_agrees_with_a_loop_that_reads_like_the_paper(queries: list[Query], rule: Rule) -> None:
    got = refine(candidates(queries, K), rule)
    for i, q in enumerate(queries):
        reason, positives, negatives = paper(q, rule)
        assert REASONS[got.verdicts[i]] == reason
        assert documents(got, "positives", i) == positives
        assert documents(got, "negatives", i) == negatives
        ranks = {d: r for r, (d, _) in enumerate(q.recalled, 1)}
        scores = {**q.explicit, **dict(q.recalled)}
        for judged in (got.positives, got.negatives):
            for j in range(judged.offsets[i], judged.offsets[i + 1]):
                document = int(judged.documents[j])
                assert judged.ranks[j] == ranks.get(document, 0)
                assert judged.scores[j] == scores[document]
        if positives:
            assert got.mean[i] == sum(scores[d] for d in positives) / len(positives)
        else:
            assert math.isnan(got.mean[i])


@given(QUERIES, RULES)
def test_every_query_is_kept_with_a_positive_or_rejected_with_nothing(queries: list[Query], rule: Rule) -> None:
    got = refine(candidates(queries, K), rule)
    positives, negatives = np.diff(got.positives.offsets), np.diff(got.negatives.offsets)
    assert ((got.verdicts == KEPT) == (positives > 0)).all()
    assert (negatives[got.verdicts != KEPT] == 0).all()
    assert (negatives <= rule.negatives).all()


@given(QUERIES, RULES, st.randoms())
def test_the_order_of_queries_does_not_matter(queries: list[Query], rule: Rule, random: object) -> None:
    order = list(range(len(queries)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one, two = refine(candidates(queries, K), rule), refine(candidates([queries[i] for i in order], K), rule)
    for new, old in enumerate(order):
        for kind in ("positives", "negatives"):
            assert documents(two, kind, new) == documents(one, kind, old)
    assert two.hits.tolist() == one.hits.tolist()


@given(QUERIES, RULES, GRID)
def test_a_higher_t_pos_keeps_fewer_queries_and_positives(queries: list[Query], rule: Rule, other: float) -> None:
    low, high = sorted([rule.t_pos, other])
    loose = refine(candidates(queries, K), dataclasses.replace(rule, t_pos=low))
    strict = refine(candidates(queries, K), dataclasses.replace(rule, t_pos=high))
    for i in range(len(queries)):
        assert set(documents(strict, "positives", i)) <= set(documents(loose, "positives", i))


@given(QUERIES, RULES, GRID)
def test_a_higher_margin_admits_more_negatives(queries: list[Query], rule: Rule, other: float) -> None:
    low, high = sorted([rule.margin, other])
    uncapped = dataclasses.replace(rule, negatives=99)
    few = refine(candidates(queries, K), dataclasses.replace(uncapped, margin=low))
    many = refine(candidates(queries, K), dataclasses.replace(uncapped, margin=high))
    assert few.verdicts.tolist() == many.verdicts.tolist()
    for i in range(len(queries)):
        assert set(documents(few, "negatives", i)) <= set(documents(many, "negatives", i))


@given(QUERIES, RULES)
def test_hits_are_what_the_rule_would_keep_if_nothing_were_blocked(queries: list[Query], rule: Rule) -> None:
    got = refine(candidates(queries, K), rule)
    expected = 0
    for q in queries:
        _, positives, _ = paper(q, rule)
        if positives:
            scores = {**q.explicit, **dict(q.recalled)}
            mean = sum(scores[d] for d in positives) / len(positives)
            open_ = [(d, s) for d, s in scores.items() if d not in positives and s < mean + rule.margin]
            first = sorted(open_, key=lambda c: (-c[1], c[0]))[: rule.negatives]
            expected += sum(d in q.blocked and d not in q.positives for d, _ in first)
    assert got.hits[GUARD] == expected


def test_a_worked_example_by_hand() -> None:
    q = Query([(4, 0.9), (1, 0.8), (2, 0.7), (3, 0.5)], positives={1, 3}, explicit={2: 0.7, 9: 0.1}, blocked=set())
    got = refine(candidates([q], 4), Rule(t_pos=0.6, margin=0.05, negatives=15))
    assert documents(got, "positives", 0) == [1]  # 3 scores 0.5, not above 0.6
    assert documents(got, "negatives", 0) == [2, 9]  # 4 scores 0.9, not below 0.8 + 0.05
    assert got.negatives.ranks.tolist() == [3, 0]
    assert got.mean.tolist() == pytest.approx([0.8])
    assert got.hits[LABELLED_POSITIVE] == 1  # 3 would have been a negative


def test_a_positive_at_t_pos_is_not_above_it() -> None:
    q = Query([(0, 0.5)], positives={0}, explicit={}, blocked=set())
    got = refine(candidates([q], 1), Rule(t_pos=0.5, margin=0.0, negatives=1))
    assert REASONS[got.verdicts[0]] == "positive_below_t_pos"
    assert (got.best_score[0], got.best_rank[0]) == (0.5, 1)


def test_a_positive_outside_the_top_k_does_not_count() -> None:
    q = Query([(0, 0.9)], positives={1}, explicit={}, blocked=set())
    got = refine(candidates([q], 1), Rule(t_pos=0.0, margin=0.0, negatives=1))
    assert REASONS[got.verdicts[0]] == "no_positive_in_top_k"
    assert got.best_rank[0] == 0


def test_a_nan_score_is_an_error() -> None:
    q = Query([(0, math.nan)], positives={0}, explicit={}, blocked=set())
    with pytest.raises(ValueError, match="NaN"):
        refine(candidates([q], 1), Rule(0.0, 0.0, 1))
    r = Query([(0, 0.5)], positives={0}, explicit={1: math.nan}, blocked=set())
    with pytest.raises(ValueError, match="NaN"):
        refine(candidates([r], 1), Rule(0.0, 0.0, 1))


def test_no_queries_give_nothing() -> None:
    got = refine(candidates([], 3), Rule(0.0, 0.0, 1))
    assert len(got.verdicts) == 0
    assert got.negatives.offsets.tolist() == [0]
