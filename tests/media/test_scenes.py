"""Videos are split at their cuts in one decode, and bad segments say why."""

from pathlib import Path

import av
import pytest

from pipeline.config import FrameSettings, SceneSettings
from pipeline.errors import MediaError
from pipeline.media.scenes import scan
from tests.media.stills import still_video, video

FRAMES = FrameSettings(sample_fps=4)
SCENES = SceneSettings(min_scene_s=0.5)


def test_cuts_are_found_to_the_frame_and_segments_cover_the_file(tmp_path: Path) -> None:
    found = scan(video(tmp_path / "a.mp4", [1, 2, 3], frames=24), FRAMES, SCENES)
    assert [round(s.start_s * 12) for s in found.segments] == [0, 24, 48]
    assert [s.start_s for s in found.segments][1:] == [s.end_s for s in found.segments][:-1]
    assert found.segments[-1].end_s == pytest.approx(6.0, abs=0.01)
    assert all(s.reject is None for s in found.segments)


def test_frames_lie_inside_their_segment_in_time_order(tmp_path: Path) -> None:
    for s in scan(video(tmp_path / "a.mp4", [1, 2], frames=24), FRAMES, SCENES).segments:
        times = list(s.pixels.times_s)
        assert times == sorted(set(times))
        assert s.start_s <= times[0]
        assert times[-1] < s.end_s
        assert len(times) == len(s.pixels.frames) >= 3


def test_no_more_than_the_limit_of_frames_is_kept(tmp_path: Path) -> None:
    limited = FrameSettings(sample_fps=12, max_frames=5)
    (segment,) = scan(video(tmp_path / "a.mp4", [1], frames=60), limited, SCENES).segments
    assert 3 <= len(segment.pixels.frames) <= 5
    assert segment.pixels.times_s[-1] > 2.5


@pytest.mark.parametrize(("colour", "reason"), [(0, "black"), (128, "static")])
def test_segments_without_content_are_rejected_with_figure_and_limit(tmp_path: Path, colour: int, reason: str) -> None:
    (segment,) = scan(still_video(tmp_path / "a.mp4", colour), FRAMES, SCENES).segments
    assert segment.reject is not None
    assert segment.reject[0] == reason
    assert "limit" in segment.reject[1]


def test_a_short_segment_is_rejected_and_its_neighbours_stay(tmp_path: Path) -> None:
    found = scan(video(tmp_path / "a.mp4", [1, 2], frames=30), FRAMES, SceneSettings(min_scene_s=3))
    assert [s.reject and s.reject[0] for s in found.segments] == ["too_short", "too_short"]


def test_a_file_that_breaks_midway_keeps_its_good_segments(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mkv", [1, 2, 3, 4], frames=24)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    found = scan(path, FRAMES, SCENES)
    assert found.segments[0].reject is None
    assert found.segments[0].end_s == pytest.approx(2.0, abs=0.1)


def test_a_video_of_one_frame_does_not_break_anything(tmp_path: Path) -> None:
    (segment,) = scan(video(tmp_path / "a.mp4", [1], frames=1), FRAMES, SCENES).segments
    assert segment.reject is not None
    assert segment.reject[0] == "too_short"


def test_a_file_without_a_readable_frame_raises_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 400)
    with pytest.raises(MediaError):
        scan(path, FRAMES, SCENES)


def test_a_video_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = video(tmp_path / "a.mp4", [1, 2, 3], frames=24)
    opened = []
    real = av.open

    def counting(*args: object, **options: object) -> object:
        opened.append(args)
        return real(*args, **options)

    monkeypatch.setattr(av, "open", counting)
    scan(path, FRAMES, SCENES)
    assert len(opened) == 1
