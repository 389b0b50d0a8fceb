from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mine.products import Arithmetic, BFloat16, Float32, Tile, multiply
from pipeline.models.protocols import Vectors

ARITHMETICS: list[Arithmetic] = [Float32(), BFloat16()]


@st.composite
def problems(draw: st.DrawFn) -> tuple[Vectors, Vectors]:
    """Vectors of any length, some of them equal, some zero, some nearly orthogonal."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dim, n, q = draw(st.integers(1, 40)), draw(st.integers(1, 70)), draw(st.integers(1, 5))
    scale = draw(st.sampled_from([1e-3, 1.0, 50.0]))
    base = rng.standard_normal((draw(st.integers(1, n)), dim)) * scale
    base[rng.random(len(base)) < 0.1] = 0
    corpus = base[rng.integers(0, len(base), n)]
    return rng.standard_normal((q, dim)).astype(np.float32), corpus.astype(np.float32)


def tile_of(arithmetic: Arithmetic, queries: Vectors, corpus: Vectors) -> Tile:
    return multiply(arithmetic, arithmetic.rounded(queries), arithmetic.rounded(corpus), corpus.shape[1])


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda a: type(a).__name__)
@given(vectors=problems(), part=st.floats(0, 1))
def test_no_pair_that_reaches_the_floor_is_dropped(
    arithmetic: Arithmetic, vectors: tuple[Vectors, Vectors], part: float
) -> None:
    queries, corpus = vectors
    exact = queries.astype(np.float64) @ corpus.astype(np.float64).T
    floors = np.quantile(exact, part, axis=1).astype(np.float32)
    rows, documents = tile_of(arithmetic, queries, corpus).near(floors)
    found = set(zip(rows.tolist(), documents.tolist(), strict=True))
    assert len(found) == len(rows)
    assert rows.tolist() == sorted(rows.tolist())
    assert set(zip(*np.nonzero(exact >= floors[:, None]), strict=True)) <= found
    assert all(0 <= d < len(corpus) for d in documents.tolist())


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda a: type(a).__name__)
@given(vectors=problems(), k=st.integers(1, 12))
def test_at_least_k_products_reach_the_floor_of_k(
    arithmetic: Arithmetic, vectors: tuple[Vectors, Vectors], k: int
) -> None:
    queries, corpus = vectors
    floors = tile_of(arithmetic, queries, corpus).floor_of_k(k)
    exact = queries.astype(np.float64) @ corpus.astype(np.float64).T
    assert ((exact >= floors[:, None]).sum(axis=1) >= np.where(np.isneginf(floors), 0, k)).all()


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_rough_pass_lets_few_pairs_through(seed: int) -> None:
    """Without this, dropping nothing would pass for correct."""
    rng = np.random.default_rng(seed)
    both = rng.standard_normal((2, 300, 128)).astype(np.float32)
    queries, corpus = both / np.linalg.norm(both, axis=2, keepdims=True)
    exact = queries @ corpus.T
    floors = np.sort(exact, axis=1)[:, -10]
    for arithmetic in ARITHMETICS:
        rows, _ = tile_of(arithmetic, queries, corpus).near(floors)
        assert 300 * 10 <= len(rows) < 300 * 20
