from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import FrameSettings, SceneSettings
from pipeline.errors import MediaError
from pipeline.media import videos
from pipeline.media.scenes import Measured, verdict
from tests.media.films import FPS, Picture, film, noise_scene, still_scene, textured_still, written
from tests.media.odd_files import damaged_movie, movie
from tests.media.scans import Scan, scan

FRAMES = FrameSettings(max_side_px=64)
LIMITS = SceneSettings()


def scanned(folder: Path, data: bytes) -> Scan:
    return scan(written(folder / "a.mp4", data), FRAMES, LIMITS)


def starts(found: Scan) -> list[float]:
    return [s.start_s for s in found.segments]


def reasons(found: Scan) -> list[str | None]:
    return [s.reject and s.reject[0] for s in found.segments]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Scenes of half a second at least: what is shorter between two that look alike could be a flash.
@given(lengths=st.lists(st.integers(14, 40), min_size=1, max_size=4), seed=st.integers(0, 50))
def test_cuts_are_found_to_the_frame_and_segments_tile_the_file(tmp_path: Path, lengths: list[int], seed: int) -> None:
    pictures = [p for i, n in enumerate(lengths) for p in noise_scene(seed + 2 * i, n)]
    found = scanned(tmp_path, film(pictures))
    assert starts(found) == pytest.approx([sum(lengths[:i]) / FPS for i in range(len(lengths))], abs=1e-6)
    assert [s.end_s for s in found.segments] == [*starts(found)[1:], found.duration_s]
    assert found.duration_s == pytest.approx(sum(lengths) / FPS, abs=1e-6)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_flash_is_no_cut(tmp_path: Path, length: int) -> None:
    scene = textured_still(1, 60)
    scene[30 : 30 + length] = still_scene((255, 255, 255), length)
    assert starts(scanned(tmp_path, film(scene))) == [0.0]


def test_a_scene_shorter_than_a_flash_between_two_others_is_cut_out(tmp_path: Path) -> None:
    found = scanned(tmp_path, film(noise_scene(1, 30) + noise_scene(2, 4) + noise_scene(5, 30)))
    assert starts(found) == pytest.approx([0.0, 1.2, 1.36])
    assert reasons(found) == [None, "too_short", None]


def test_a_fast_fade_gives_no_segment_of_a_single_frame(tmp_path: Path) -> None:
    before, after = noise_scene(1, 30), noise_scene(5, 30)
    fade = [
        (a * (1 - k / 5) + b * (k / 5)).astype(np.uint8) for k, (a, b) in enumerate(zip(before, after, strict=True))
    ][1:5]
    found = scanned(tmp_path, film([*before, *fade, *after]))
    kept = [s for s in found.segments if s.reject is None]
    assert [round(s.end_s - s.start_s, 2) >= 1.2 for s in kept] == [True, True]
    assert len(found.segments) <= 3


def test_cut_times_follow_the_presentation_stamps(tmp_path: Path) -> None:
    """The second scene's frames come half as often."""
    pictures = noise_scene(1, 30) + noise_scene(2, 20)
    stamps = [*range(30), *range(30, 70, 2)]
    found = scanned(tmp_path, film(pictures, times=stamps))
    assert starts(found) == pytest.approx([0.0, 1.2], abs=1e-6)
    assert found.duration_s == pytest.approx(2.8, abs=0.05)


def test_a_video_is_opened_and_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    really = av.open
    path = written(tmp_path / "a.mp4", movie())

    def counting(*args: object, **options: object) -> object:
        opened.append(args)
        return really(*args, **options)

    monkeypatch.setattr(av, "open", counting)
    scan(path, FRAMES, LIMITS)
    assert len(opened) == 1


def test_black_static_and_good_scenes_are_told_apart(tmp_path: Path) -> None:
    dark: list[Picture] = still_scene((2, 2, 2), 30)
    found = scanned(tmp_path, film(noise_scene(1, 30) + dark + textured_still(7, 30) + noise_scene(4, 10)))
    assert starts(found) == pytest.approx([0.0, 1.2, 2.4, 3.6])
    assert reasons(found) == [None, "black", "static", "too_short"]


def test_a_damaged_file_keeps_its_good_segments_and_loses_only_its_tail(tmp_path: Path) -> None:
    found = scanned(tmp_path, damaged_movie())
    assert reasons(found) == [None, "corrupt_video"]
    assert starts(found) == [0.0, 2.0]
    assert found.duration_s == pytest.approx(4.0, abs=0.05)


def test_a_cut_off_file_keeps_its_good_segments_too(tmp_path: Path) -> None:
    data = movie()
    found = scanned(tmp_path, data[: int(len(data) * 0.75)])
    assert reasons(found) == [None, "corrupt_video"]


def test_decoding_that_takes_too_long_is_a_reject_not_a_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.mp4", movie())
    monkeypatch.setattr(videos, "decode_limit_s", lambda *_: 1e-9)
    with pytest.raises(MediaError) as caught:
        scan(path, FrameSettings(), LIMITS)
    assert caught.value.reason == "decode_timeout"


GOOD = Measured(duration_s=4.0, luma_p99=200, contrast=50, motion=9, bar_share=0.0, still_from_s=0.0, still_s=0.0)


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"duration_s": 0.32}, ("too_short", "0.32 s, limit 0.8 s")),
        ({"luma_p99": 3.04}, ("black", "99th percentile of luma 3.0, limit 6")),
        ({"contrast": 1.234}, ("single_colour", "standard deviation of colour 1.23, limit 3")),
        ({"motion": 0.01}, ("static", "mean change of luma 0.010, limit 0.15")),
        (
            {"still_from_s": 1.5, "still_s": 2.5},
            ("frozen", "nothing changes for 2.50 s from 1.50 s, 0.625 of it, limit 0.5"),
        ),
        ({"bar_share": 0.9}, ("letterboxed", "black bars cover 0.900 of the picture, limit 0.8")),
        ({"duration_s": 0.8, "luma_p99": 6, "contrast": 3, "motion": 0.15, "still_s": 0.4, "bar_share": 0.8}, None),
    ],
)
def test_verdicts_name_figure_and_limit(figures: dict[str, float], expected: tuple[str, str] | None) -> None:
    assert verdict(replace(GOOD, **figures), LIMITS) == expected
