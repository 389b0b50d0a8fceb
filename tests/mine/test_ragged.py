from __future__ import annotations

import numpy as np

from pipeline.mine.ragged import Ragged, find, spread

LISTS = Ragged.from_pairs(np.array([2, 0, 2, 0]), np.array([7, 9, 5, 1]), 4)  # [1, 9] [] [5, 7] []


def test_pairs_in_any_order_become_rising_lists() -> None:
    assert LISTS.offsets.tolist() == [0, 2, 2, 4, 4]
    assert LISTS.values.tolist() == [1, 9, 5, 7]
    assert LISTS.rows.tolist() == [0, 0, 2, 2]


def test_take_repeats_and_reorders_rows() -> None:
    taken = LISTS.take(np.array([2, 1, 0, 2]))
    assert taken.offsets.tolist() == [0, 2, 2, 4, 6]
    assert taken.values.tolist() == [5, 7, 1, 9, 5, 7]


def test_keep_drops_values_and_leaves_empty_rows() -> None:
    kept = LISTS.keep(np.array([False, False, True, False]))
    assert kept.offsets.tolist() == [0, 0, 0, 1, 1]
    assert kept.values.tolist() == [5]


def test_spread_concatenates_ranges() -> None:
    assert spread(np.array([3, 9, 7]), np.array([2, 0, 1])).tolist() == [3, 4, 7]
    assert spread(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []


def test_find_gives_the_index_or_minus_one() -> None:
    assert find(np.array([2, 4, 8]), np.array([[8, 3], [2, 9]])).tolist() == [[2, -1], [0, -1]]
    assert find(np.zeros(0, np.int64), np.array([1])).tolist() == [-1]
