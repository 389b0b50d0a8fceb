from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mine import near_positive as module
from pipeline.mine.near_positive import near_positives
from pipeline.mine.ragged import Ragged


def test_the_nearest_share_is_marked_and_a_positive_is_not_counted() -> None:
    angles = np.radians([0, 5, 10, 40, 80])
    corpus = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    recalled = np.array([[4, 3, 2, 1, 0], [0, 1, 2, -1, -1]])
    positives = Ragged.from_pairs(np.array([0]), np.array([0]), 2)  # the second query has none
    marked = near_positives(corpus, recalled, positives, 0.5)
    assert [recalled[r, c] for r, c in zip(*np.nonzero(marked), strict=True)] == [2, 1]
    assert not near_positives(corpus, recalled, positives, 0.24).any()


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(1, 40))
def test_it_agrees_with_a_plain_loop_in_any_blocks(seed: int, share: float, pairs: int) -> None:
    rng = np.random.default_rng(seed)
    corpus = rng.integers(-2, 3, (12, 3)).astype(np.float32)
    recalled = np.array([rng.permutation(12)[:7] for _ in range(5)])
    recalled[rng.random(recalled.shape) < 0.2] = -1
    owned = [sorted(rng.permutation(12)[: rng.integers(0, 4)].tolist()) for _ in range(5)]
    lists = [(q, d) for q, documents in enumerate(owned) for d in documents]
    positives = Ragged.from_pairs(*np.array(lists, np.int64).reshape(-1, 2).T, 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAIRS", pairs)
        marked = near_positives(corpus, recalled, positives, share)
    for q, documents in enumerate(owned):
        others = [c for c, d in enumerate(recalled[q].tolist()) if d >= 0 and d not in documents]
        if documents:
            others.sort(key=lambda c: (-max(float(corpus[recalled[q, c]] @ corpus[d]) for d in documents), c))
            expected = others[: int(np.floor(len(others) * share))]
        else:
            expected = []
        assert np.flatnonzero(marked[q]).tolist() == sorted(expected)
