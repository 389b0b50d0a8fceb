from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import FrameSettings, SceneSettings
from pipeline.media import sampling
from pipeline.media.frames import sample
from pipeline.media.sampling import on_grid, step_s
from pipeline.models.protocols import Pixels
from tests.media.films import FPS, film, noise_scene, written
from tests.media.scans import scan


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [(4.0, 1.0), (64.0, 1.0), (64.9, 1.0), (65.0, 2.0), (200.0, 4.0), (3.9, 0.5), (1.0, 0.25), (0.9, 0.125)],
)
def test_the_step_is_one_second_unless_that_gives_too_few_or_too_many_frames(
    duration_s: float, expected: float
) -> None:
    assert step_s(duration_s, FrameSettings(sample_fps=1, max_frames=64)) == expected


@given(a=st.floats(0.01, 5000), b=st.floats(0.01, 5000), fps=st.floats(0.1, 30), most=st.integers(1, 100))
def test_a_longer_segment_never_has_a_finer_grid(a: float, b: float, fps: float, most: int) -> None:
    settings = FrameSettings(sample_fps=fps, max_frames=most)
    assert step_s(min(a, b), settings) <= step_s(max(a, b), settings)


@given(times=st.lists(st.integers(1, 10**8), min_size=2, max_size=50, unique=True), power=st.integers(0, 6))
def test_a_coarser_grid_takes_only_frames_that_a_finer_one_takes(times: list[int], power: int) -> None:
    seconds = [t / 1000 for t in sorted(times)]
    for previous, now in pairwise(seconds):
        if on_grid(now, previous, 0.5 * 2**power):
            assert on_grid(now, previous, 0.5)


def sampled(folder: Path, frames: int, settings: FrameSettings) -> Pixels:
    path = written(folder / "a.mp4", film(noise_scene(4, frames)))
    return sample(path, "video", 0.0, frames / FPS, settings)


def test_a_segment_gives_a_frame_a_second_away_from_its_edges(tmp_path: Path) -> None:
    assert sampled(tmp_path, 5 * FPS, FrameSettings(max_side_px=64)).times_s == (1.0, 2.0, 3.0, 4.0)


@pytest.mark.parametrize(("frames", "count"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 3), (10, 3)])
def test_a_short_segment_gives_three_frames_when_it_has_them(tmp_path: Path, frames: int, count: int) -> None:
    times = sampled(tmp_path, frames, FrameSettings(max_side_px=64)).times_s
    assert len(times) >= count
    if frames >= 5:  # then none of them need be the first or last
        assert times[0] > 0
        assert times[-1] < (frames - 1) / FPS


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_no_more_than_max_frames_are_taken_evenly_spread(tmp_path: Path, most: int) -> None:
    times = sampled(tmp_path, 100, FrameSettings(max_side_px=64, sample_fps=10, max_frames=most)).times_s
    assert most / 2 <= len(times) <= most
    gaps = {round(b - a, 3) for a, b in pairwise(times)}
    assert len(gaps) <= 1 or max(gaps) - min(gaps) <= 1 / FPS + 1e-6


def test_a_second_pass_over_each_segment_gives_the_very_pixels_of_the_scan(tmp_path: Path) -> None:
    """A short, a middling and a long scene, one of which is thinned out on the way."""
    pictures = noise_scene(1, 20) + noise_scene(2, 3 * FPS) + noise_scene(3, 9 * FPS)
    path = written(tmp_path / "a.mp4", film(pictures))
    settings = FrameSettings(max_side_px=64, max_frames=5)
    segments = scan(path, settings, SceneSettings()).segments
    assert [(s.start_s, s.end_s) for s in segments] == [(0.0, 0.8), (0.8, 3.8), (3.8, 12.8)]
    for segment in segments:
        assert sample(path, "video", segment.start_s, segment.end_s, settings) == segment.pixels


def test_memory_holds_no_more_frames_than_the_limit_however_long_the_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []
    add = sampling.Sampler.add

    def counting(self: sampling.Sampler, frame: sampling.Frame) -> None:
        add(self, frame)
        held.append(len(self._kept) + len(self._waiting))

    monkeypatch.setattr(sampling.Sampler, "add", counting)
    sampled(tmp_path, 12 * FPS, FrameSettings(max_side_px=64, sample_fps=5, max_frames=6))
    assert max(held) <= 8


def test_a_key_frame_is_the_picture_on_display(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", film(noise_scene(4, FPS)))
    settings = FrameSettings(max_side_px=64)
    assert sample(path, "video", 0.5, 0.5, settings).times_s == (0.48,)
    assert sample(path, "video", 0.52, 0.52, settings).times_s == (0.52,)
    assert sample(path, "video", 0.97, 0.97, settings).times_s == (0.96,)
