"""Videos are split at their cuts in one decode, and bad segments say why."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import FrameSettings, SceneSettings
from pipeline.errors import MediaError
from pipeline.media.frames import sample
from pipeline.media.jpeg import decode_jpeg
from tests.media.films import FPS, Picture, film, noise_scene, written
from tests.media.scans import Scan, scan
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


@pytest.mark.parametrize(("colour", "reason"), [(0, "black"), (128, "single_colour")])
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


SMALL = FrameSettings(max_side_px=64)


def scanned(folder: Path, frames: list[Picture], **limits: object) -> Scan:
    return scan(written(folder / "a.mp4", film(frames)), SMALL, SceneSettings.model_validate(limits))


def reasons(found: Scan) -> list[str | None]:
    return [s.reject and s.reject[0] for s in found.segments]


def test_short_segments_go_on_into_the_next_where_they_are_merged(tmp_path: Path) -> None:
    """0.4 s, 2 s, 0.4 s, 0.4 s, 0.4 s, 2 s, 0.4 s: only the last one has nothing to go on into."""
    lengths = [10, 50, 10, 10, 10, 50, 10]
    frames = [f for i, n in enumerate(lengths) for f in noise_scene(3 * i + 1, n)]
    apart, merged = (scanned(tmp_path, frames, short_scenes=how) for how in ("reject", "merge"))
    assert reasons(apart) == ["too_short", None, "too_short", "too_short", "too_short", None, "too_short"]
    assert [s.end_s for s in merged.segments] == pytest.approx([2.4, 3.2, 5.6, 6.0])
    assert reasons(merged) == [None, None, None, "too_short"]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seconds=st.integers(1, 24), longest_s=st.sampled_from([2.0, 3.5, 5.0, 8.0]), odd=st.integers(0, 24))
def test_long_segments_are_divided_evenly_into_parts_that_a_second_pass_samples_alike(
    tmp_path: Path, seconds: int, longest_s: float, odd: int
) -> None:
    frames = noise_scene(4, seconds * FPS + odd)
    found = scanned(tmp_path, frames, max_scene_s=longest_s)
    lengths = [s.end_s - s.start_s for s in found.segments]
    step = 1 / SMALL.sample_fps
    assert found.duration_s == pytest.approx(len(frames) / FPS)
    assert all(a.end_s == b.start_s for a, b in zip(found.segments, found.segments[1:], strict=False))
    assert max(lengths) <= longest_s + step
    assert len(lengths) == 1 or min(lengths) >= longest_s / 2 - step
    assert abs(lengths[-1] - lengths[max(0, len(lengths) - 2)]) <= 2 * step
    for s in found.segments:
        assert sample(tmp_path / "a.mp4", "video", s.start_s, s.end_s, SMALL) == s.pixels
        assert len(s.pixels.frames) >= 3 or s.end_s - s.start_s < 0.2


def test_a_long_segment_of_sparse_frames_is_divided_between_them(tmp_path: Path) -> None:
    """A frame every 5 s: parts begin where there is one."""
    stamps = [0, *range(125, 2000, 125)]
    data = film(noise_scene(4, len(stamps)), "matroska", times=stamps)
    found = scan(written(tmp_path / "a.mkv", data), SMALL, SceneSettings(max_scene_s=12))
    assert all(s.start_s % 5 == 0 for s in found.segments)
    assert all(s.pixels.frames for s in found.segments)
    assert all(5 <= s.end_s - s.start_s <= 15 for s in found.segments)


def test_memory_stays_bounded_in_a_segment_that_is_divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.media.sampling import Sampler

    held, add = [], Sampler.add

    def counting(self: Sampler, frame: object) -> None:
        add(self, frame)  # type: ignore[arg-type]
        held.append(len(self._kept) + len(self._waiting))

    monkeypatch.setattr(Sampler, "add", counting)
    frames = FrameSettings(max_side_px=64, sample_fps=5, max_frames=8)
    path = written(tmp_path / "a.mp4", film(noise_scene(4, 20 * FPS)))
    scan(path, frames, SceneSettings(max_scene_s=4))
    assert max(held) <= 4 * 8 + 2


def test_a_scene_that_freezes_says_when_and_for_how_long(tmp_path: Path) -> None:
    moving = noise_scene(3, 50)
    (segment,) = scanned(tmp_path, [*moving, *[moving[-1]] * 75]).segments
    assert segment.reject is not None
    assert segment.reject[0] == "frozen"
    assert segment.measured.still_from_s == pytest.approx(49 / FPS, abs=0.05)
    assert segment.measured.still_s == pytest.approx(3.0, abs=0.1)
    assert "limit 0.5" in segment.reject[1]


def test_a_short_halt_is_no_freeze(tmp_path: Path) -> None:
    moving = noise_scene(3, 100)
    found = scanned(tmp_path, [*moving[:50], *[moving[49]] * 30, *moving[50:]])
    assert reasons(found) == [None]
    assert found.segments[0].measured.still_s == pytest.approx(1.2, abs=0.1)


def barred(frames: list[Picture], rows: int, columns: int) -> list[Picture]:
    black = [np.zeros_like(f) for f in frames]
    for b, f in zip(black, frames, strict=True):
        b[rows : f.shape[0] - rows, columns : f.shape[1] - columns] = f[
            rows : f.shape[0] - rows, columns : -columns or None
        ]
    return black


@pytest.mark.parametrize(("rows", "columns"), [(14, 0), (0, 60), (12, 30)])
def test_black_bars_are_measured_kept_cropped_or_rejected(tmp_path: Path, rows: int, columns: int) -> None:
    path = written(tmp_path / "a.mp4", film(barred(noise_scene(6, 50), rows, columns)))
    share = 1 - (1 - 2 * rows / 108) * (1 - 2 * columns / 192)
    plain = FrameSettings()
    (kept,) = scan(path, plain, SceneSettings()).segments
    (rejected,) = scan(path, plain, SceneSettings(max_bar_share=0.2)).segments
    (cropped,) = scan(path, FrameSettings(crop_bars=True), SceneSettings()).segments
    assert kept.measured.bar_share == pytest.approx(share, abs=0.03)
    assert kept.reject is None
    assert rejected.reject is not None
    assert rejected.reject[0] == "letterboxed"
    size = decode_jpeg(cropped.pixels.frames[0]).shape
    assert size[:2] == pytest.approx((108 - 2 * rows, 192 - 2 * columns), abs=4)
    assert cropped.pixels == sample(path, "video", 0.0, cropped.end_s, FrameSettings(crop_bars=True))


def test_a_picture_without_bars_is_not_cropped(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", film(noise_scene(6, 50)))
    one, two = (scan(path, FrameSettings(crop_bars=crop), SceneSettings()) for crop in (False, True))
    assert one.segments[0].pixels == two.segments[0].pixels
