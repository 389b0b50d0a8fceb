"""Animated pictures as videos: every frame, with its own time, within the limits."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.config import FrameSettings, SceneSettings
from pipeline.errors import MediaError
from pipeline.media.clips import cut
from pipeline.media.frames import sample
from pipeline.media.probe import probe
from pipeline.media.videos import open_video
from tests.media.films import shown
from tests.media.scans import scan
from tests.media.stills import SIZE, encoded, picture

AS_VIDEO = FrameSettings(animations="video", sample_fps=4)
KINDS = ["GIF", "WEBP", "PNG", "AVIF"]
LOSSLESS = {"WEBP": {"lossless": True}, "AVIF": {"quality": 95}}


def animated(path: Path, kind: str, frames: list[Image.Image], durations: list[int]) -> Path:
    options = {"save_all": True, "append_images": frames[1:], "duration": durations, **LOSSLESS.get(kind, {})}
    path.write_bytes(encoded(frames[0], kind, **options))
    return path


def three(path: Path, kind: str) -> Path:
    return animated(path, kind, [picture(1), picture(2), picture(3)], [200, 500, 300])


@pytest.mark.parametrize("kind", KINDS)
def test_frames_come_with_their_own_times_and_pixels(tmp_path: Path, kind: str) -> None:
    path = three(tmp_path / "a", kind)
    with open_video(path, AS_VIDEO) as video:
        frames = [(f.time_s, f.end_s, f.picture(1024)) for f in video.frames()]
    assert [(start, end) for start, end, _ in frames] == [(0.0, 0.2), (0.2, 0.7), (0.7, 1.0)]
    for seed, (_, _, found) in enumerate(frames, start=1):
        assert np.abs(found.astype(int) - np.asarray(picture(seed), int)).mean() < 12


@pytest.mark.parametrize("kind", KINDS)
def test_the_setting_decides_what_an_animation_is(tmp_path: Path, kind: str) -> None:
    path = three(tmp_path / "a", kind)
    still, moving = probe(path, FrameSettings()), probe(path, AS_VIDEO)
    assert (still.media, moving.media) == ("image", "video")
    assert (moving.width_px, moving.height_px, moving.duration_s) == (*SIZE, None)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "JPEG", "TIFF"])
def test_a_single_picture_and_the_pages_of_a_tiff_are_no_video(tmp_path: Path, kind: str) -> None:
    pages = {"save_all": True, "append_images": [picture(2)]} if kind == "TIFF" else {}
    (tmp_path / "a").write_bytes(encoded(picture(1), kind, **pages))
    assert probe(tmp_path / "a", AS_VIDEO).media == "image"


def test_scenes_of_an_animation_are_found_sampled_and_cut(tmp_path: Path) -> None:
    one, two = np.asarray(picture(1)), np.asarray(picture(2))
    frames = [Image.fromarray(np.roll(base, i, axis=1)) for base in (one, two) for i in range(10)]
    path = animated(tmp_path / "a.webp", "WEBP", frames, [100] * 20)
    first, second = scan(path, AS_VIDEO, SceneSettings()).segments
    assert (first.start_s, first.end_s, second.end_s) == (0.0, 1.0, 2.0)
    assert first.reject is None
    assert sample(path, "video", second.start_s, second.end_s, AS_VIDEO) == second.pixels
    assert cut(path, [((1.0, 2.0), tmp_path / "clip.mp4")], AS_VIDEO) == [None]
    times = [time for time, _ in shown(tmp_path / "clip.mp4", AS_VIDEO)]
    assert times == pytest.approx([i / 10 for i in range(10)])


@pytest.mark.parametrize("ms", [0, 10])
def test_frames_without_a_duration_last_as_long_as_in_a_browser(tmp_path: Path, ms: int) -> None:
    path = animated(tmp_path / "a.gif", "GIF", [picture(1), picture(2)], [ms, ms])
    assert [time for time, _ in shown(path, AS_VIDEO)] == [0.0, 0.1]


def reason_and_frames(path: Path, settings: FrameSettings) -> tuple[str | None, int]:
    """Why reading stopped, and how many frames came before."""
    count = 0
    try:
        for _ in shown(path, settings):
            count += 1
    except MediaError as error:
        return error.reason, count
    return None, count


def test_the_limits_of_videos_hold(tmp_path: Path) -> None:
    path = animated(tmp_path / "a.gif", "GIF", [picture(i) for i in range(6)], [60_000] * 6)
    assert reason_and_frames(path, FrameSettings(animations="video", max_duration_s=150)) == ("too_long", 3)
    assert reason_and_frames(path, FrameSettings(animations="video", max_decode_s=1e-9))[0] == "decode_timeout"
    assert reason_and_frames(path, FrameSettings(animations="video", max_pixels=1000)) == ("too_many_pixels", 0)


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_a_cut_off_animation_gives_its_good_frames_and_then_the_reason(tmp_path: Path, kind: str) -> None:
    frames = [picture(i) for i in range(8)]
    data = animated(tmp_path / "a", kind, frames, [100] * 8).read_bytes()
    (tmp_path / "a").write_bytes(data[: len(data) * 3 // 5])
    reason, count = reason_and_frames(tmp_path / "a", AS_VIDEO)
    assert reason == "truncated"
    assert 2 <= count <= 6
    last = scan(tmp_path / "a", AS_VIDEO, SceneSettings()).segments[-1]
    assert last.reject is not None
    assert last.reject[0] == "truncated"
