from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mine import recall as module
from pipeline.mine.recall import SearchPart, TopK, merge_top_k, pair_scores, recall, search_part
from tests.mine.loop import Loop

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def search(queries: Matrix, corpus: Matrix, k: int, offset: int = 0, query_block: int = 4096) -> TopK:
    return search_part(SearchPart(queries, corpus, offset, k, query_block))


def reference(queries: Matrix, corpus: Matrix, k: int) -> list[list[tuple[float, int]]]:
    """Sort all documents by (score falling, position); products of small integers are exact."""
    scores = queries.astype(np.float64) @ corpus.astype(np.float64).T
    return [sorted(((s, i) for i, s in enumerate(row)), key=lambda h: (-h[0], h[1]))[:k] for row in scores.tolist()]


def hits(top: TopK) -> list[list[tuple[float, int]]]:
    return [
        [(s, p) for s, p in zip(row, places, strict=True) if p >= 0]
        for row, places in zip(top.scores.tolist(), top.positions.tolist(), strict=True)
    ]


@st.composite
def integer_vectors(draw: st.DrawFn) -> tuple[Matrix, Matrix]:
    """Few small integers, so that ties are everywhere and products exact."""
    dim, n, q = draw(st.integers(1, 5)), draw(st.integers(0, 60)), draw(st.integers(1, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    return (
        rng.integers(-2, 3, (q, dim)).astype(np.float32),
        rng.integers(-2, 3, (n, dim)).astype(np.float32),
    )


@given(integer_vectors(), st.integers(1, 70))
def test_top_k_is_exact_and_ties_stand_in_order_of_position(vectors: tuple[Matrix, Matrix], k: int) -> None:
    queries, corpus = vectors
    assert hits(search(queries, corpus, k)) == reference(queries, corpus, k)


@given(integer_vectors(), st.integers(1, 20), st.lists(st.integers(0, 60), max_size=4), st.randoms())
def test_merged_parts_equal_one_search_with_ties(
    vectors: tuple[Matrix, Matrix], k: int, cuts: list[int], random: object
) -> None:
    queries, corpus = vectors
    edges = sorted({0, len(corpus), *(min(c, len(corpus)) for c in cuts)}) if len(corpus) else [0, 0]
    parts = [search(queries, corpus[a:b], k, a) for a, b in pairwise(edges)]
    random.shuffle(parts)  # type: ignore[attr-defined]
    merged, whole = merge_top_k(parts, k), search(queries, corpus, k)
    assert merged.positions.tolist() == whole.positions.tolist()
    assert merged.scores.tobytes() == whole.scores.tobytes()


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 7))
def test_real_vectors_give_the_same_bits_in_any_blocks_and_parts(seed: int, cut: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((30, 97)).astype(np.float32)
    corpus = np.repeat(base, 5, axis=0)[rng.permutation(150)]  # each vector five times: ties at every rank
    queries = rng.standard_normal((7, 97)).astype(np.float32)
    whole = search(queries, corpus, 13)
    parts = [search(queries, corpus[a : a + cut], 13, a, block) for a in range(0, 150, cut)]
    merged = merge_top_k(parts, 13)
    assert merged.positions.tolist() == whole.positions.tolist()
    assert merged.scores.tobytes() == whole.scores.tobytes()


def test_a_tie_far_beyond_the_slack_is_settled_by_position() -> None:
    corpus = np.ones((module.SLACK * 5, 3), np.float32)
    corpus[7] = 2
    found = search(np.ones((2, 3), np.float32), corpus, 4)
    assert found.positions.tolist() == [[7, 0, 1, 2]] * 2
    assert found.scores.tolist() == [[6, 3, 3, 3]] * 2


def test_pairs_get_the_bits_that_the_search_gave_them() -> None:
    rng = np.random.default_rng(1)
    queries, corpus = rng.standard_normal((5, 33)).astype(np.float32), rng.standard_normal((80, 33)).astype(np.float32)
    found = search(queries, corpus, 10)
    rows = np.repeat(np.arange(5), 10)
    assert pair_scores(queries, corpus, rows, found.positions.ravel()).tobytes() == found.scores.tobytes()


def test_a_corpus_smaller_than_k_is_padded() -> None:
    found = search(np.array([[1.0]], np.float32), np.array([[2.0], [3.0]], np.float32), 4, offset=10)
    assert found.positions.tolist() == [[11, 10, -1, -1]]
    assert found.scores.tolist() == [[3, 2, -np.inf, -np.inf]]


def test_an_empty_corpus_and_no_queries_give_padding() -> None:
    nothing, one = np.zeros((0, 3), np.float32), np.ones((1, 3), np.float32)
    assert search(one, nothing, 2).positions.tolist() == [[-1, -1]]
    assert search(nothing, one, 2).positions.shape == (0, 2)


def test_negative_zero_ties_with_zero() -> None:
    corpus = np.array([[-0.0], [0.0]], np.float32)
    assert search(np.array([[1.0]], np.float32), corpus, 2).positions.tolist() == [[0, 1]]
    assert search(np.array([[-1.0]], np.float32), corpus, 2).positions.tolist() == [[0, 1]]


def test_dimensions_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match="queries have 2 dimensions, documents 3"):
        search(np.ones((1, 2), np.float32), np.ones((1, 3), np.float32), 1)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CORPUS_PART", 11)


@pytest.mark.usefixtures("small_parts")
def test_a_large_corpus_is_searched_in_parts_by_the_runner() -> None:
    rng = np.random.default_rng(2)
    queries, corpus = rng.standard_normal((5, 8)).astype(np.float32), rng.standard_normal((40, 8)).astype(np.float32)
    run = Loop(None)
    found = recall(run, queries, corpus, 6, 2)
    assert run.parts == 4
    assert found.positions.tolist() == search(queries, corpus, 6).positions.tolist()


def test_a_part_travels_to_a_worker_and_back() -> None:
    part = SearchPart(np.ones((1, 2), np.float32), np.ones((3, 2), np.float32), 5, 2, 4)
    fn, sent = pickle.loads(pickle.dumps((search_part, part)))  # noqa: S301
    assert fn(sent).positions.tolist() == [[5, 6]]
