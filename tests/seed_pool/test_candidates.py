"""Which assets are looked at, and how two sequences of frames are laid over each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import DuplicateSettings
from pipeline.seed_pool.candidates import Frames, Shots, align, candidates

DIM = 48


def looks(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-127, 128, (n, DIM)).astype(np.int8)


def shots(vectors: np.ndarray, start_s: float, step_s: float = 1.0) -> Shots:
    n = len(vectors)
    codes = np.random.default_rng(np.abs(vectors.astype(int)).sum()).integers(0, 256, (n, 8)).astype(np.uint8)
    return Shots(start_s + step_s * np.arange(n), codes, vectors, vectors[:0])


@given(st.integers(0, 6), st.integers(4, 9))
def test_a_clip_cut_out_of_another_is_laid_over_the_part_it_was_cut_from(begin: int, length: int) -> None:
    film = looks(20)
    found = align(shots(film, 0.0), shots(film[begin : begin + length], 100.0), ((0, 20), (100, 100 + length)), 64)
    assert found.first == tuple(range(begin, begin + length))
    assert found.second == tuple(range(length))
    assert found.offset_s == pytest.approx(100 - begin)
    assert found.overlap == pytest.approx(1)


def test_a_clip_shifted_by_two_seconds_overlaps_by_what_both_show() -> None:
    film = looks(12)
    found = align(shots(film[:10], 0.0), shots(film[2:], 0.0), ((0, 10), (0, 10)), 64)
    assert found.offset_s == -2
    assert found.overlap == pytest.approx(0.8)
    assert [b - a for a, b in zip(found.first, found.second, strict=True)] == [-2] * 8


def test_frames_sampled_half_a_step_apart_still_pair_up() -> None:
    film = looks(10)
    found = align(shots(film, 0.0), shots(film[1:], 0.5), ((0, 10), (0.5, 9.5)), 4)
    assert len(found.first) == 4
    assert found.offset_s == -0.5


def test_order_matters() -> None:
    film = looks(10)
    found = align(shots(film, 0.0), shots(film[::-1], 0.0), ((0, 10), (0, 10)), 64)
    same = [i for i, j in zip(found.first, found.second, strict=True) if i == 9 - j]
    assert len(same) <= 1


def of(vectors: np.ndarray) -> Frames:
    codes = np.random.default_rng(1).integers(0, 256, (len(vectors), 8)).astype(np.uint8)
    return Frames(np.arange(len(vectors)), codes, vectors, vectors[:0])


def test_an_inverted_index_finds_planted_copies() -> None:
    vectors = looks(800)
    near = np.clip(vectors[:50].astype(int) + looks(50, seed=9) // 8, -127, 127).astype(np.int8)
    planted = {(i, 800 + i) for i in range(50)}
    found = [
        set(
            zip(*(side.tolist() for side in candidates(of(np.concatenate([vectors, near])), None, limits)), strict=True)
        )
        for limits in (DuplicateSettings(min_cosine=0.8), DuplicateSettings(min_cosine=0.8, exact_up_to=100))
    ]
    assert found[0] >= planted
    assert len(found[1] & planted) >= 48


def test_partners_are_limited() -> None:
    frames = of(np.repeat(looks(1), 200, axis=0))
    first, second = candidates(frames, None, DuplicateSettings(candidates=3))
    assert len(first) <= 200 * 6
    assert (first < second).all()
    assert len(candidates(frames, of(looks(0)), DuplicateSettings())[0]) == 0
