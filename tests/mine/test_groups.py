from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import GuardSettings
from pipeline.mine import groups
from pipeline.mine.groups import (
    Edges,
    Forest,
    described,
    near_duplicate_groups,
    near_pictures,
    near_vectors,
    same_label,
    similar_queries,
)
from pipeline.mine.ragged import Ragged


def pairs(edges: object) -> set[tuple[int, int]]:
    found = list(edges)  # type: ignore[call-overload]
    return {tuple(sorted(p)) for e in found for p in zip(e.first.tolist(), e.second.tolist(), strict=True)}


def lists(rows: list[list[int]]) -> Ragged:
    flat = np.array([v for r in rows for v in r], np.uint64).view(np.int64)
    return Ragged(np.cumsum([0, *(len(r) for r in rows)]), flat)


def reference_components(n: int, edges: set[tuple[int, int]]) -> list[int]:
    root = list(range(n))
    for _ in range(n):
        for a, b in edges:
            root[a] = root[b] = min(root[a], root[b])
    return root


EDGES = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=15)


@given(EDGES, st.integers(1, 4))
def test_sets_bear_their_smallest_member_in_whatever_batches_edges_come(edges: list[tuple[int, int]], cut: int) -> None:
    forest = Forest(12)
    for start in range(0, len(edges), cut):
        part = np.array(edges[start : start + cut], np.int64).reshape(-1, 2)
        forest.join([Edges(part[:, 0], part[:, 1])])
    assert forest.roots().tolist() == reference_components(12, set(edges))


def test_a_long_chain_is_one_set() -> None:
    order = np.random.default_rng(0).permutation(5000)
    forest = Forest(5000)
    forest.join([Edges(order[:-1], order[1:])])
    assert (forest.roots() == 0).all()


def test_equal_labels_are_joined_and_minus_one_is_not() -> None:
    assert pairs([same_label(np.array([3, -1, 3, 5, -1, 3]))]) == {(0, 2), (2, 5)}


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([5, 64, 65, 130]), st.floats(0.3, 0.99))
def test_near_vectors_are_exactly_those_that_brute_force_finds(seed: int, dim: int, cosine: float) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((9, dim))
    vectors = centres[rng.integers(0, 9, 70)] + rng.choice([0.05, 0.3, 1.0], (70, 1)) * rng.standard_normal((70, dim))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    products = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    found = pairs(near_vectors(vectors, cosine))
    for i in range(70):
        for j in range(i + 1, 70):
            if abs(products[i, j] - cosine) > 1e-5:
                assert ((i, j) in found) == (products[i, j] > cosine)


def test_near_vectors_span_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "TILE_ROWS", 2)
    monkeypatch.setattr(groups, "TILE_COLUMNS", 3)
    vectors = np.eye(10, dtype=np.float32)[[0, 1, 2, 3, 0, 5, 6, 1]]
    assert pairs(near_vectors(vectors, 0.9)) == {(0, 4), (1, 7)}


def test_pictures_within_the_limit_of_bits_are_near() -> None:
    prints = lists([[0], [0b111], [0b1111], [], [2**64 - 1]])
    assert pairs(near_pictures(prints, 3)) == {(0, 1), (1, 2)}
    assert pairs(near_pictures(prints, 0)) == set()


def test_a_segment_is_near_when_all_frames_of_the_shorter_occur_in_the_longer() -> None:
    a, b, c, d = 0, 0xFF, 0xFFFF00000000, 0xFFFF000000000000
    prints = lists([[a, b, c], [b, b, c], [a, d], [a, b, c, d]])
    assert pairs(near_pictures(prints, 0)) == {(0, 1), (0, 3), (1, 3), (2, 3)}


def test_near_pictures_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    prints = lists([rng.integers(0, 4, rng.integers(0, 4)).tolist() for _ in range(40)])
    whole = pairs(near_pictures(prints, 1))
    monkeypatch.setattr(groups, "HASHES_A_BLOCK", 2)
    assert pairs(near_pictures(prints, 1)) == whole
    assert pairs(near_pictures(lists([[], []]), 1)) == set()


def test_groups_join_texts_looks_and_vectors_and_bear_the_smallest_position() -> None:
    vectors = np.eye(6, dtype=np.float32)[[0, 1, 2, 3, 3, 5]]
    vectors[5] = 0  # could not be read
    readable = np.array([True] * 5 + [False])
    content = np.array([0, 1, 0, 3, 4, 5])
    prints = lists([[], [7], [], [], [7], []])
    group = near_duplicate_groups(content, vectors, readable, prints, GuardSettings())
    assert group.tolist() == [0, 1, 0, 1, 1, 5]  # 1 looks like 4, whose vector is that of 3
    assert described(group) == {"near_duplicate_groups": 2, "largest_group": 3}
    off = near_duplicate_groups(content, vectors, readable, prints, GuardSettings(near_duplicate=False))
    assert off.tolist() == [0, 1, 0, 3, 4, 5]


def test_no_documents_have_no_groups() -> None:
    none = np.zeros(0, np.int64)
    group = near_duplicate_groups(none, np.zeros((0, 4), np.float32), none.astype(bool), lists([]), GuardSettings())
    assert group.tolist() == []
    assert described(group) == {"near_duplicate_groups": 0, "largest_group": 0}


def test_similar_queries_are_grouped_only_where_settings_say_how_similar() -> None:
    vectors = np.array([[1, 0], [0.99, 0.141], [0, 1], [1, 0]], np.float32)
    content, readable = np.array([0, 1, 2, 3]), np.array([True, True, True, False])
    assert similar_queries(content, vectors, readable, GuardSettings()) is None
    near = similar_queries(content, vectors, readable, GuardSettings(similar_query_cosine=0.98))
    assert near is not None
    assert near.tolist() == [0, 0, 2, 3]
    same = similar_queries(np.array([0, 1, 0, 3]), vectors, readable, GuardSettings(similar_query_cosine=0.999))
    assert same is not None
    assert same.tolist() == [0, 1, 0, 3]
