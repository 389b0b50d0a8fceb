from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mine.keys import mixed
from pipeline.mine.pool import Judged
from pipeline.mine.settle import Proposals, drawn_queries, matched

LISTS = st.lists(st.lists(st.integers(0, 4), unique=True, max_size=5), min_size=1, max_size=6)
SCORES = st.lists(st.integers(0, 4), min_size=30, max_size=30)
KEYS = mixed(np.arange(6, dtype=np.uint64))


def proposals(lists: list[list[int]], scores: list[int], order: list[int]) -> Proposals:
    """The lists of the queries in `order`; query q gives document d the score scores[5 q + d]."""
    flat = [(q, d) for q in order for d in lists[q]]
    offsets = np.concatenate([[0], np.cumsum([len(lists[q]) for q in order])]).astype(np.int64)
    documents = np.array([d for _, d in flat], np.int64)
    values = np.array([scores[5 * q + d] / 8 for q, d in flat], np.float32)
    return Proposals(Judged(offsets, documents, values, np.ones(len(flat), np.int64)), KEYS[order])


def one_by_one(lists: list[list[int]], scores: list[int], negatives: int, uses: int) -> set[tuple[int, int]]:
    """Gale and Shapley's algorithm as they tell it: one query proposes at a time."""
    turn, held = [0] * len(lists), {d: list[int]() for d in range(5)}
    while True:
        wanting = [
            q for q in range(len(lists)) if sum(q in h for h in held.values()) < negatives and turn[q] < len(lists[q])
        ]
        if not wanting:
            return {(q, d) for d, h in held.items() for q in h}
        q = wanting[-1]
        d = lists[q][turn[q]]
        turn[q] += 1
        held[d] = sorted([*held[d], q], key=lambda p, d=d: (-scores[5 * p + d], int(KEYS[p])))[:uses]  # type: ignore[misc]


@given(LISTS, SCORES, st.integers(0, 4), st.integers(1, 4), st.randoms())
def test_matching_is_that_of_gale_and_shapley_in_any_order_of_queries(  # type: ignore[no-untyped-def]
    lists, scores, negatives, uses, random
) -> None:
    order = list(range(len(lists)))
    random.shuffle(order)
    asked = proposals(lists, scores, order)
    chosen = matched(asked, negatives, uses)
    pairs = {(order[r], int(d)) for r, d in zip(asked.query[chosen], asked.lists.documents[chosen], strict=True)}
    assert pairs == one_by_one(lists, scores, negatives, uses)


@given(LISTS, SCORES, st.integers(0, 4), st.integers(1, 4))
def test_no_document_serves_more_often_than_allowed(  # type: ignore[no-untyped-def]
    lists, scores, negatives, uses
) -> None:
    asked = proposals(lists, scores, list(range(len(lists))))
    chosen = matched(asked, negatives, uses)
    assert np.bincount(asked.lists.documents[chosen], minlength=1).max() <= uses
    assert np.bincount(asked.query[chosen], minlength=1).max() <= negatives


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=12), st.integers(1, 4))
def test_a_quota_keeps_the_smallest_keys_of_each_kind(queries: list[tuple[int, bool]], quota: int) -> None:
    keys = mixed(np.arange(len(queries), dtype=np.uint64))
    kind, kept = np.array([k for k, _ in queries]), np.array([k for _, k in queries])
    expected: set[int] = set()
    for wanted in range(3):
        inside = [i for i, (k, stays) in enumerate(queries) if k == wanted and stays]
        expected |= set(sorted(inside, key=lambda i: int(keys[i]))[:quota])
    assert set(np.flatnonzero(drawn_queries(kind, keys, kept, quota)).tolist()) == expected
