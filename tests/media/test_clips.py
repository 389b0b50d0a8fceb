from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.clips import Span, cut, suffix
from tests.media.films import FPS, film, noise_scene, shown, turned, written

RED, BLUE = (220, 30, 30), (30, 30, 220)
SETTINGS = FrameSettings()


def two_colours(path: Path, size: tuple[int, int] = (192, 108)) -> Path:
    """Two seconds of red, then two of blue."""
    frames = [np.full((size[1], size[0], 3), c, np.uint8) for c in (RED, BLUE) for _ in range(2 * FPS)]
    return written(path, film(frames))


def made(path: Path, *spans: Span, folder: Path) -> list[Path]:
    targets = [(s, folder / f"{i}{suffix(s)}") for i, s in enumerate(spans)]
    assert cut(path, targets, SETTINGS) == [None] * len(spans)
    return [t for _, t in targets]


def test_a_clip_holds_the_frames_of_its_span_with_their_times(tmp_path: Path) -> None:
    (clip,) = made(two_colours(tmp_path / "a.mp4"), (1.0, 3.0), folder=tmp_path)
    frames = list(shown(clip, SETTINGS))
    assert [t for t, _ in frames] == pytest.approx([i / FPS for i in range(2 * FPS)], abs=1e-4)
    first, last = frames[0][1], frames[-1][1]
    assert np.abs(first.mean(axis=(0, 1)) - RED).max() < 8
    assert np.abs(last.mean(axis=(0, 1)) - BLUE).max() < 8


def test_spans_that_overlap_come_from_one_decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, open_ = two_colours(tmp_path / "a.mp4"), av.open
    opened: list[str] = []
    monkeypatch.setattr(av, "open", lambda *a, **k: (opened.append(a[1]), open_(*a, **k))[1])
    clips = made(path, (0.0, 2.5), (2.0, 3.0), (1.5, None), folder=tmp_path)
    assert opened.count("r") == 1
    # Frames stand at multiples of 0.04 s: 0..2.48, 2..2.96, 1.52..3.96.
    assert [len(list(shown(c, SETTINGS))) for c in clips] == [63, 25, 62]


def test_a_key_frame_becomes_a_still(tmp_path: Path) -> None:
    (still,) = made(two_colours(tmp_path / "a.mp4"), (3.0, 3.0), folder=tmp_path)
    with Image.open(still) as image:
        assert image.format == "JPEG"
        assert np.abs(np.asarray(image).mean(axis=(0, 1)) - BLUE).max() < 8


def test_a_span_between_two_frames_shows_the_one_on_display(tmp_path: Path) -> None:
    (clip,) = made(two_colours(tmp_path / "a.mp4"), (1.01, 1.02), folder=tmp_path)
    assert len(list(shown(clip, SETTINGS))) == 1


def test_a_turned_video_is_cut_upright_and_odd_sides_are_made_even(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", turned(film(noise_scene(1, 10))))
    (clip,) = made(path, (0.0, 0.2), folder=tmp_path)
    assert next(shown(clip, SETTINGS))[1].shape == (192, 108, 3)
    small = FrameSettings(max_side_px=101)
    assert cut(path, [((0.0, 0.2), tmp_path / "odd.mp4")], small) == [None]
    height, width, _ = next(shown(tmp_path / "odd.mp4", SETTINGS))[1].shape
    assert height % 2 == width % 2 == 0


def test_a_span_behind_the_end_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    path, folder = two_colours(tmp_path / "a.mp4"), tmp_path / "clips"
    folder.mkdir()
    late, good = folder / "late.mp4", folder / "good.mp4"
    verdicts = cut(path, [((9.0, 10.0), late), ((0.0, 1.0), good)], SETTINGS)
    assert isinstance(verdicts[0], MediaError)
    assert verdicts[0].reason == "no_frames"
    assert verdicts[1] is None
    assert [p.name for p in folder.iterdir()] == ["good.mp4"]


def test_a_file_that_breaks_half_way_keeps_the_clips_before(tmp_path: Path) -> None:
    data = film(noise_scene(3, 4 * FPS), index_first=True)
    path, folder = written(tmp_path / "a.mp4", data[: len(data) * 2 // 3]), tmp_path / "clips"
    folder.mkdir()
    verdicts = cut(path, [((0.0, 1.0), folder / "early.mp4"), ((3.0, 4.0), folder / "late.mp4")], SETTINGS)
    assert verdicts[0] is None
    assert verdicts[1] is not None
    assert [p.name for p in folder.iterdir()] == ["early.mp4"]


def test_the_same_span_gives_the_same_frames(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", film(noise_scene(5, 50)))
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    cut(path, [((0.2, 1.4), one)], SETTINGS)
    cut(path, [((0.2, 1.4), two)], SETTINGS)
    pairs = zip(shown(one, SETTINGS), shown(two, SETTINGS), strict=True)
    assert all(t == u and np.abs(f.astype(int) - g).mean() < 1 for (t, f), (u, g) in pairs)
