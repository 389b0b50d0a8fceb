from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media import videos
from pipeline.media.decode import read_image
from pipeline.media.images import fit
from pipeline.media.probe import probe
from pipeline.media.videos import open_video
from tests.media.films import FPS, SIZE, film, noise_scene, shown, turned, written
from tests.media.odd_files import FILES

SETTINGS = FrameSettings()


@pytest.mark.parametrize("name", [name for name, (_, reason) in FILES.items() if reason is None])
def test_the_probed_size_is_the_decoded_size(name: str, tmp_path: Path) -> None:
    path = FILES[name][0](tmp_path)
    found = probe(path, SETTINGS)
    picture = read_image(path, SETTINGS) if found.media == "image" else next(shown(path, SETTINGS))[1]
    width, height = fit(found.width_px, found.height_px, SETTINGS.max_side_px)
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8


def test_times_come_from_the_stamps_and_begin_at_zero(tmp_path: Path) -> None:
    stamps = [10, 11, 13, 16, 20]
    path = written(tmp_path / "a.mkv", film(noise_scene(1, 5), "matroska", times=stamps))
    assert [t for t, _ in shown(path, SETTINGS)] == pytest.approx([0, 0.04, 0.12, 0.24, 0.4], abs=1e-3)


def test_a_turned_video_is_shown_turned_clockwise(tmp_path: Path) -> None:
    data = film(noise_scene(3, 4))
    upright = next(shown(written(tmp_path / "a.mp4", data), SETTINGS))[1]
    clockwise = next(shown(written(tmp_path / "b.mp4", turned(data)), SETTINGS))[1]
    assert clockwise.shape == (SIZE[0], SIZE[1], 3)
    np.testing.assert_array_equal(clockwise, np.rot90(upright, -1))


def test_colours_survive_the_way_through_a_video(tmp_path: Path) -> None:
    flat = [np.full((108, 192, 3), (200, 40, 60), np.uint8)] * 3
    picture = next(shown(written(tmp_path / "a.mp4", film(flat)), SETTINGS))[1]
    assert np.abs(picture.reshape(-1, 3).mean(axis=0) - (200, 40, 60)).max() < 4


def test_good_frames_come_before_the_damage(tmp_path: Path) -> None:
    path = FILES["mp4, damaged in the middle"][0](tmp_path)
    frames, times = shown(path, SETTINGS), []
    with pytest.raises(MediaError, match="corrupt_video"):
        times.extend(time_s for time_s, _ in frames)
    assert times == pytest.approx([i / FPS for i in range(len(times))], abs=1e-6)
    assert 2.0 < len(times) / FPS < 2.6


def test_time_that_a_caller_takes_over_frames_is_no_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(videos, "time", SimpleNamespace(monotonic=lambda: now))
    with open_video(written(tmp_path / "a.mp4", film(noise_scene(1, 5))), FrameSettings(max_decode_s=1)) as video:
        for _ in video.frames():
            now += 100.0
    assert now == 500.0


@pytest.mark.parametrize(
    ("data", "max_side_px"),
    [(turned(film(noise_scene(1, 2))), 96), (film(noise_scene(1, 2, (1280, 720))), 800)],
    ids=["turned", "of colours without a label"],
)
def test_a_reduced_frame_gives_the_same_picture_in_less_memory(tmp_path: Path, data: bytes, max_side_px: int) -> None:
    with open_video(written(tmp_path / "a.mp4", data), SETTINGS) as video:
        frame = replace(next(video.frames()), pixel_aspect=1.2)
        reduced = frame.reduced(max_side_px)
        np.testing.assert_array_equal(reduced.picture(max_side_px), frame.picture(max_side_px))
        assert (reduced.time_s, reduced.end_s) == (frame.time_s, frame.end_s)
        assert reduced.held_bytes < frame.held_bytes
        assert frame.reduced(4096) is frame


def test_a_video_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", film(noise_scene(1, 3)))
    with pytest.raises(MediaError) as caught:
        probe(path, FrameSettings(max_pixels=SIZE[0] * SIZE[1] - 1))
    assert caught.value.reason == "too_many_pixels"


def test_two_decodes_give_the_same_pixels(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", film(noise_scene(2, 12)))
    settings = FrameSettings(max_side_px=100)
    for (_, a), (_, b) in zip(shown(path, settings), shown(path, settings), strict=True):
        np.testing.assert_array_equal(a, b)
