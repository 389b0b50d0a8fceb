"""Tones and sharpness, on pictures whose figures are known by construction."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.sharpness import edge_width
from pipeline.media.tonal_range import tonal_range


def split(left: int, right: int, share: float = 0.5, size: tuple[int, int] = (200, 256)) -> np.ndarray:
    """Grey `left` on that share of the width, then `right`."""
    image = np.full((*size, 3), right, np.uint8)
    image[:, : int(size[1] * share)] = left
    return image


def test_one_tone_has_no_contrast_and_no_entropy() -> None:
    tones = tonal_range(split(90, 90))
    assert (tones.contrast, tones.entropy_bits, tones.bright_luma, tones.dark_luma) == (0, 0, 90, 90)


def test_two_equal_halves_have_one_bit_and_their_difference_as_contrast() -> None:
    tones = tonal_range(split(20, 255))
    assert tones.entropy_bits == pytest.approx(1.0)
    assert (tones.contrast, tones.dark_luma, tones.bright_luma) == (235, 20, 255)
    assert tones.clipped_share == pytest.approx(0.5)


def test_colours_of_equal_luma_are_contrast_too() -> None:
    image = split(0, 0)
    image[:, :128] = (200, 40, 30)
    image[:, 128:] = (20, 123, 70)
    tones = tonal_range(image)
    assert tones.bright_luma - tones.dark_luma < 3
    assert tones.contrast > 170


def test_a_few_hot_pixels_are_no_contrast() -> None:
    image = split(10, 10)
    image[50, 50:55] = 255
    assert tonal_range(image).contrast == 0


@given(st.integers(0, 255), st.integers(0, 255), st.floats(0.05, 0.95))
def test_figures_stay_in_their_range(left: int, right: int, share: float) -> None:
    tones = tonal_range(split(left, right, share, (40, 60)))
    assert 0 <= tones.contrast <= 255
    assert 0 <= tones.entropy_bits <= 8
    assert 0 <= tones.dark_luma <= tones.bright_luma <= 255
    assert 0 <= tones.clipped_share <= 1


@pytest.mark.parametrize("sigma", [2.0, 3.0, 4.0, 6.0])
def test_the_width_of_a_blurred_step_is_about_two_and_a_half_sigma(sigma: float) -> None:
    """A Gaussian step of height h has the slope h / (sqrt(2 pi) sigma) in its middle."""
    step = cv2.GaussianBlur(split(30, 220, 0.56), (0, 0), sigma)  # the edge lies in the middle of a tile
    width = edge_width(step)
    assert width == pytest.approx(np.sqrt(2 * np.pi) * sigma, rel=0.1)


def test_a_sharp_part_is_enough_and_noise_does_not_hide_blur() -> None:
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.integers(0, 256, (12, 16, 1)), np.ones((32, 32, 3))).astype(np.uint8)
    blocks = np.roll(blocks, 16, axis=(0, 1))
    blurred = cv2.GaussianBlur(blocks, (0, 0), 5)
    noisy = np.clip(blurred + rng.normal(0, 4, blurred.shape), 0, 255).astype(np.uint8)
    half = blurred.copy()
    half[:, :160] = blocks[:, :160]
    sharp, soft, grainy, partly = (edge_width(p) for p in (blocks, blurred, noisy, half))
    assert sharp is not None
    assert soft is not None
    assert sharp <= 2
    assert soft > 9
    assert grainy is not None
    assert grainy > 7
    assert partly is not None
    assert partly <= 2.5


def test_without_edges_nothing_is_said_of_blur() -> None:
    assert edge_width(split(100, 140)) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (31, 33)])
def test_any_size_can_be_measured(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    edge_width(image)
    tonal_range(image)
