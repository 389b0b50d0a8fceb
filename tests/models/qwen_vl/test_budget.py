"""Sizes within the budget, as Qwen's own processors choose them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import Qwen2VLImageProcessor, Qwen3VLVideoProcessor

from pipeline.config import BudgetSettings
from pipeline.models.qwen_vl.budget import chosen_frames, image_size, image_tokens, video_size, video_tokens
from pipeline.models.qwen_vl.families import GME, QWEN3_VL, Family

BUDGET = BudgetSettings()
SIDES = st.integers(1, 6000)


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (720, 1024, (704, 1024)),  # 22.5 tokens high: to the even number, as Python rounds
        (768, 1024, (768, 1024)),  # 768 tokens, nothing to do
        (2160, 3840, (832, 1504)),  # 1,222 of 1,280 tokens
        (20, 30, (64, 96)),  # at least 4 tokens
        (32, 6000, (32, 6016)),  # 188 tokens in a row
    ],
)
def test_sizes_of_images(height: int, width: int, size: tuple[int, int]) -> None:
    assert image_size(height, width, QWEN3_VL, BUDGET) == size


def test_gme_counts_in_28_pixels_and_scales_small_images_up() -> None:
    assert image_size(448, 504, GME, BUDGET) == (448, 504)  # 288 tokens
    assert image_tokens(64, 96, GME, BUDGET) >= 256
    assert image_tokens(4000, 4000, GME, BUDGET) <= 1280


def test_a_video_shares_its_budget_among_its_frames() -> None:
    # 4,500 tokens of two frames are 9.2 M pixels, 144,000 for each of 64 frames; one of 4 gets 768 tokens' worth.
    assert video_size(64, 720, 1280, QWEN3_VL, BUDGET) == (256, 480)
    assert video_tokens(64, 720, 1280, QWEN3_VL, BUDGET) == 32 * 8 * 15
    assert video_size(4, 1080, 1920, QWEN3_VL, BUDGET) == (640, 1152)
    assert video_tokens(4, 1080, 1920, QWEN3_VL, BUDGET) == 2 * 20 * 36


@given(SIDES, SIDES, st.sampled_from([QWEN3_VL, GME]))
def test_an_image_never_exceeds_its_budget(height: int, width: int, family: Family) -> None:
    assert image_tokens(height, width, family, BUDGET) <= 1280


@given(st.integers(1, 200), SIDES, SIDES, st.sampled_from([512, 1000, 4500]), st.sampled_from([2, 64, 768]))
def test_a_video_never_exceeds_its_budget(frames: int, height: int, width: int, tokens: int, most: int) -> None:
    budget = BudgetSettings(max_video_tokens=tokens, max_video_frames=most)
    assert video_tokens(frames, height, width, QWEN3_VL, budget) <= tokens


@given(SIDES, SIDES, st.sampled_from([QWEN3_VL, GME]))
def test_sides_are_multiples_of_a_token_and_stay_as_they_are(height: int, width: int, family: Family) -> None:
    size = image_size(height, width, family, BUDGET)
    assert all(side % family.token_px == 0 and side > 0 for side in size)
    assert image_size(*size, family, BUDGET) == size


@given(st.integers(1, 300), st.sampled_from([2, 8, 64]))
def test_an_even_number_of_frames_in_order(frames: int, most: int) -> None:
    chosen = chosen_frames(frames, BudgetSettings(max_video_frames=most))
    assert len(chosen) % 2 == 0
    assert len(chosen) <= most
    assert chosen == sorted(chosen)
    assert {0, frames - 1} <= set(chosen)
    if frames <= most:
        assert sorted(set(chosen)) == list(range(frames))


def test_images_are_as_large_as_transformers_makes_them() -> None:
    processor = Qwen2VLImageProcessor(
        patch_size=16, merge_size=2, size={"shortest_edge": 4 * 1024, "longest_edge": 1280 * 1024}
    )
    draw = random.Random(0)
    for _ in range(200):
        height = draw.randint(32, 3000)
        width = draw.randint(max(32, height // 20), min(4000, height * 20))
        assert image_tokens(height, width, QWEN3_VL, BUDGET) == (
            processor.get_number_of_image_patches(height, width) // 4
        ), (height, width)


def test_videos_are_as_large_as_transformers_makes_them() -> None:
    processor = Qwen3VLVideoProcessor(
        size={"shortest_edge": 4 * 1024, "longest_edge": 4500 * 2048}, cap_pixels_per_frame=True, max_video_tokens=768
    )
    draw = random.Random(0)
    for _ in range(200):
        frames = 2 * draw.randint(1, 32)
        height = draw.randint(32, 2200)
        width = draw.randint(max(32, height // 10), min(4000, height * 10))
        assert video_tokens(frames, height, width, QWEN3_VL, BUDGET) == (
            processor.get_num_of_video_patches(frames, height, width) // 4
        ), (frames, height, width)
