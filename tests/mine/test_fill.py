from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mine.fill import Lottery, filled
from pipeline.mine.filters import Positives, at_most
from pipeline.mine.keys import mixed
from pipeline.mine.pool import FREE, Judged
from pipeline.mine.ragged import Ints, Ragged

N = 40
DOCUMENTS = np.arange(N, dtype=np.int64) * 3  # positions in the task's corpus
KEYS = mixed(np.arange(6, dtype=np.uint64))


def chosen(lists: Sequence[Sequence[int]]) -> Judged:
    offsets = np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64)
    documents = np.array([d for x in lists for d in x], np.int64)
    return Judged(offsets, documents, np.ones(len(documents), np.float32), np.ones(len(documents), np.int64))


def lottery(taken: Sequence[Sequence[int]], rows: Sequence[int], forbidden: set[int]) -> Lottery:
    pairs = [(i, d) for i, x in enumerate(taken) for d in x]
    known = Ragged.from_pairs(
        np.array([i for i, _ in pairs], np.int64), np.array([d for _, d in pairs], np.int64), len(taken)
    )

    def score(query: Ints, document: Ints) -> np.ndarray:  # type: ignore[type-arg]
        return ((document + query * 0) / (3 * N)).astype(np.float32)

    def codes(query: Ints, document: Ints) -> np.ndarray:  # type: ignore[type-arg]
        return np.where(np.isin(document, list(forbidden)), 5, FREE).astype(np.uint8)

    return Lottery(KEYS[list(rows)], DOCUMENTS, known, (at_most(0.5),), score, codes)


NOWHERE = np.zeros(0, np.int64)
SETS = st.sets(st.sampled_from(DOCUMENTS.tolist()), max_size=5)


@given(st.lists(SETS, min_size=1, max_size=4), SETS, st.integers(0, 6))
def test_random_negatives_pass_rule_and_guards_and_are_new(
    taken: list[set[int]], forbidden: set[int], wanted: int
) -> None:
    lists = [sorted(t)[:2] for t in taken]
    n = len(lists)
    blank = Positives(np.zeros(n), np.zeros(n), np.zeros(n), NOWHERE)
    told = lottery([sorted(t) for t in taken], range(n), forbidden)
    got = filled(chosen(lists), blank, np.full(n, wanted), told)
    for i in range(n):
        row = slice(got.offsets[i], got.offsets[i + 1])
        documents, ranks = got.documents[row].tolist(), got.ranks[row].tolist()
        assert documents[: len(lists[i])] == lists[i]
        drawn = documents[len(lists[i]) :]
        assert ranks == [1] * len(lists[i]) + [0] * len(drawn)
        assert len(set(documents)) == len(documents) <= max(wanted, len(lists[i]))
        assert not set(drawn) & (taken[i] | forbidden)
        assert all(d / (3 * N) <= 0.5 for d in drawn)  # the rule
        assert [np.float32(d / (3 * N)) for d in drawn] == got.scores[row].tolist()[len(lists[i]) :]


def test_what_a_query_draws_does_not_depend_on_the_others() -> None:
    lists = [[0], [], [3, 6]]
    blank = Positives(np.zeros(3), np.zeros(3), np.zeros(3), NOWHERE)
    whole = filled(chosen(lists), blank, np.array([5, 2, 5]), lottery(lists, range(3), set()))
    for i in range(3):
        alone = filled(
            chosen([lists[i]]),
            Positives(*(np.zeros(1),) * 3, NOWHERE),
            np.array([[5, 2, 5][i]]),
            lottery([lists[i]], [i], set()),
        )
        assert alone.documents.tolist() == whole.documents[whole.offsets[i] : whole.offsets[i + 1]].tolist()


def test_a_query_may_stay_short_where_nothing_passes() -> None:
    blank = Positives(np.zeros(1), np.zeros(1), np.zeros(1), NOWHERE)
    got = filled(chosen([[]]), blank, np.array([3]), lottery([[]], [0], set(DOCUMENTS.tolist())))
    assert got.offsets.tolist() == [0, 0]
