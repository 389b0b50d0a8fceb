from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mine import search as module
from pipeline.mine.products import Arithmetic, BFloat16, Float32
from pipeline.mine.search import search
from pipeline.mine.top_k import TopK, merge_top_k, pair_scores

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]
ARITHMETICS: list[Arithmetic] = [Float32(), BFloat16()]


def reference(queries: Matrix, corpus: Matrix, k: int) -> list[list[tuple[float, int]]]:
    """Sort all documents by (score falling, position); products of small integers are exact."""
    scores = queries.astype(np.float64) @ corpus.astype(np.float64).T
    return [sorted(((s, i) for i, s in enumerate(row)), key=lambda h: (-h[0], h[1]))[:k] for row in scores.tolist()]


def hits(top: TopK) -> list[list[tuple[float, int]]]:
    return [
        [(s, p) for s, p in zip(row, places, strict=True) if p >= 0]
        for row, places in zip(top.scores.tolist(), top.positions.tolist(), strict=True)
    ]


def moved(top: TopK, offset: int) -> TopK:
    return TopK(top.scores, np.where(top.positions >= 0, top.positions + offset, -1))


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
    for arithmetic in ARITHMETICS:
        assert hits(search(queries, corpus, k, arithmetic=arithmetic)) == reference(queries, corpus, k)


@given(integer_vectors(), st.integers(1, 20), st.lists(st.integers(0, 60), max_size=4), st.randoms())
def test_merged_parts_equal_one_search_with_ties(
    vectors: tuple[Matrix, Matrix], k: int, cuts: list[int], random: object
) -> None:
    queries, corpus = vectors
    edges = sorted({0, len(corpus), *(min(c, len(corpus)) for c in cuts)}) if len(corpus) else [0, 0]
    parts = [moved(search(queries, corpus[a:b], k), a) for a, b in pairwise(edges)]
    random.shuffle(parts)  # type: ignore[attr-defined]
    merged, whole = merge_top_k(parts, k), search(queries, corpus, k)
    assert merged.positions.tolist() == whole.positions.tolist()
    assert merged.scores.tobytes() == whole.scores.tobytes()


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 7), st.integers(1, 60), st.integers(8, 200))
def test_real_vectors_give_the_same_bits_in_any_tiles_and_either_arithmetic(
    seed: int, documents: int, queries_a_tile: int, pairs: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((30, 97)).astype(np.float32)
    corpus = np.repeat(base, 5, axis=0)[rng.permutation(150)]  # each vector five times: ties at every rank
    queries = rng.standard_normal((7, 97)).astype(np.float32)
    wholes = [search(queries, corpus, k, arithmetic=arithmetic) for arithmetic in ARITHMETICS]
    with pytest.MonkeyPatch.context() as patch:
        for name, size in (("TILE_COLUMNS", documents), ("TILE_ROWS", queries_a_tile), ("PAIRS", pairs)):
            patch.setattr(module, name, size)
        tiled = [search(queries, corpus, k, arithmetic=arithmetic) for arithmetic in ARITHMETICS]
    for found in [*wholes[1:], *tiled]:
        assert found.positions.tolist() == wholes[0].positions.tolist()
        assert found.scores.tobytes() == wholes[0].scores.tobytes()


def test_half_precision_on_disk_is_searched_as_its_float32_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    corpus, queries = rng.standard_normal((90, 16)).astype(np.float16), rng.standard_normal((4, 16)).astype(np.float32)
    np.save(tmp_path / "corpus.npy", corpus)
    mapped = np.load(tmp_path / "corpus.npy", mmap_mode="r")
    found, wanted = search(queries, mapped, 5), search(queries, corpus.astype(np.float32), 5)
    assert found.positions.tolist() == wanted.positions.tolist()
    assert found.scores.tobytes() == wanted.scores.tobytes()


@given(integer_vectors(), st.integers(1, 10), st.integers(0, 9))
def test_floors_hide_only_what_others_beat(vectors: tuple[Matrix, Matrix], k: int, rank: int) -> None:
    queries, corpus = vectors
    whole = search(queries, corpus, k)
    floors = whole.scores[:, min(rank, k - 1)]
    found = search(queries, corpus, k, floors)
    for row, (all_hits, some_hits) in enumerate(zip(hits(whole), hits(found), strict=True)):
        assert [h for h in some_hits if h[0] >= floors[row]] == [h for h in all_hits if h[0] >= floors[row]]


def test_a_tie_of_the_whole_corpus_is_settled_by_position() -> None:
    corpus = np.ones((300, 3), np.float32)
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
    found = search(np.array([[1.0]], np.float32), np.array([[2.0], [3.0]], np.float32), 4)
    assert found.positions.tolist() == [[1, 0, -1, -1]]
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
