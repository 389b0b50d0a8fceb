from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.draw import Draw

ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10_000)), unique_by=lambda r: r[1], max_size=60)


def chosen(rows: list[tuple[str, int]], size: int) -> set[int]:
    draw = Draw(size)
    for group, key in rows:
        draw.offer(group, str(key), key)
    return set(draw.chosen())


@given(ROWS, st.integers(1, 12), st.randoms(use_true_random=False))
def test_choice_does_not_depend_on_the_order_of_rows(
    rows: list[tuple[str, int]], size: int, rng: random.Random
) -> None:
    shuffled = rows.copy()
    rng.shuffle(shuffled)
    assert chosen(rows, size) == chosen(shuffled, size)


@given(ROWS, st.integers(1, 12))
def test_all_rows_are_taken_until_the_size_is_reached(rows: list[tuple[str, int]], size: int) -> None:
    assert len(chosen(rows, size)) == min(size, len(rows))


def test_a_rare_group_is_not_crowded_out() -> None:
    rows = [("common", i) for i in range(500)] + [("rare", 1000), ("rare", 1001)]
    assert {1000, 1001} <= chosen(rows, 4)


def test_rows_seen_are_counted() -> None:
    draw = Draw(2)
    for i in range(7):
        draw.offer("g", str(i), i)
    assert draw.seen == 7
