"""What is a cut and what is not: fades, flashes, pans, dissolves, changes of light."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import FrameSettings, SceneSettings
from pipeline.media import cuts
from pipeline.media.cells import correlation, tiny
from pipeline.media.dissolves import mixture
from pipeline.media.transitions import Transitions
from tests.media.films import FPS, SIZE, Picture, film, noise_scene, turned, written
from tests.media.scans import scan

DETECTORS = pytest.mark.parametrize("detector", ["content", "adaptive"])


def view(seed: int, left: int = 0) -> Picture:
    """What a camera sees of a wide smooth scene, `left` pixels along it."""
    small = np.random.default_rng(seed).integers(0, 256, (7, 28, 3), dtype=np.uint8)
    wide = cv2.resize(small, (4 * SIZE[0], SIZE[1]), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(wide[:, left : left + SIZE[0]])


def shot(seed: int, frames: int = 40) -> list[Picture]:
    """A camera that drifts."""
    return [view(seed, i // 4) for i in range(frames)]


def mixed(a: Picture, b: Picture, share: float) -> Picture:
    return cv2.addWeighted(a, 1 - share, b, share, 0)


def faded(frames: list[Picture], length: int, level: int, out: bool) -> list[Picture]:
    """The last (first) `length` frames go to (come from) a plain picture."""
    plain = np.full_like(frames[0], level)
    shares = [max(0.0, 1 - (len(frames) - 1 - i if out else i) / length) for i in range(len(frames))]
    return [mixed(f, plain, share) for f, share in zip(frames, shares, strict=True)]


def found(folder: Path, frames: list[Picture], **settings: object) -> list[float]:
    path = written(folder / "a.mp4", film(frames))
    segments = scan(path, FrameSettings(max_side_px=96), SceneSettings.model_validate(settings)).segments
    assert [s.start_s for s in segments[1:]] == [s.end_s for s in segments[:-1]]
    return [s.start_s for s in segments[1:]]


@DETECTORS
def test_hard_cuts_are_found_to_the_frame(tmp_path: Path, detector: str) -> None:
    starts = found(tmp_path, [*shot(1), *shot(2), *shot(3)], detector=detector)
    assert starts == pytest.approx([40 / FPS, 80 / FPS])


@DETECTORS
@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("hold", [0, 4, 12])
def test_a_fade_between_two_scenes_gives_one_cut_in_its_middle(
    tmp_path: Path, detector: str, level: int, hold: int
) -> None:
    plain = [np.full((SIZE[1], SIZE[0], 3), level, np.uint8)] * hold
    film_ = [*faded(shot(1), 12, level, out=True), *plain, *faded(shot(2), 12, level, out=False)]
    (at,) = found(tmp_path, film_, detector=detector)
    assert at == pytest.approx((40 + hold / 2) / FPS, abs=2.5 / FPS)


@DETECTORS
@pytest.mark.parametrize("level", [0, 255])
def test_a_fade_out_and_back_into_the_same_scene_is_no_cut(tmp_path: Path, detector: str, level: int) -> None:
    scene = shot(1, 80)
    halves = [*faded(scene[:40], 10, level, out=True), *faded(scene[40:], 10, level, out=False)]
    assert found(tmp_path, halves, detector=detector) == []


@DETECTORS
def test_fades_at_both_ends_of_a_file_are_no_cuts(tmp_path: Path, detector: str) -> None:
    scene = faded(faded(shot(1, 60), 15, 0, out=False), 15, 0, out=True)
    assert found(tmp_path, scene, detector=detector) == []


def test_black_that_lasts_as_long_as_a_segment_is_one(tmp_path: Path) -> None:
    black = [np.zeros((SIZE[1], SIZE[0], 3), np.uint8)] * 30
    path = written(tmp_path / "a.mp4", film([*black, *shot(1), *black, *shot(2), *black]))
    segments = scan(path, FrameSettings(max_side_px=96), SceneSettings()).segments
    assert [s.start_s for s in segments] == pytest.approx([0, 30 / FPS, 70 / FPS, 100 / FPS, 140 / FPS])
    assert [s.reject and s.reject[0] for s in segments] == ["black", None, "black", None, "black"]


@DETECTORS
@pytest.mark.parametrize("length", [1, 3, 6])
@pytest.mark.parametrize("fading", [False, True])
def test_a_flash_is_no_cut(tmp_path: Path, detector: str, length: int, fading: bool) -> None:
    scene = shot(4, 60)
    for k in range(length):
        scene[30 + k] = mixed(scene[30 + k], np.full_like(scene[0], 255), 0.95 * (1 - k / length if fading else 1))
    assert found(tmp_path, scene, detector=detector) == []


@DETECTORS
@pytest.mark.parametrize("length", [10, 20, 35])
def test_a_dissolve_is_one_cut_in_its_middle(tmp_path: Path, detector: str, length: int) -> None:
    a, b = shot(1, 60), shot(2, 60)
    between = [mixed(a[60 - length + k], b[k], (k + 1) / (length + 1)) for k in range(length)]
    (at,) = found(tmp_path, [*a[:-length], *between, *b[length:]], detector=detector)
    assert at == pytest.approx((60 - length / 2) / FPS, abs=max(3, length / 6) / FPS)


@DETECTORS
@pytest.mark.parametrize("speed", [12, 25, 40])
def test_a_fast_pan_is_no_cut(tmp_path: Path, detector: str, speed: int) -> None:
    lefts = [*[0] * 20, *range(0, 3 * SIZE[0], speed), *[3 * SIZE[0] - 1] * 20]
    assert found(tmp_path, [view(6, left) for left in lefts], detector=detector) == []


@DETECTORS
def test_a_cut_into_and_out_of_a_fast_pan_is_found(tmp_path: Path, detector: str) -> None:
    pan = [view(6, left) for left in range(0, 2 * SIZE[0], 10)]
    starts = found(tmp_path, [*shot(1), *pan, *shot(2)], detector=detector)
    assert starts == pytest.approx([40 / FPS, (40 + len(pan)) / FPS])


def test_a_light_that_is_switched_is_no_cut(tmp_path: Path) -> None:
    scene = shot(5, 60)
    dark = [mixed(f, np.zeros_like(f), 0.7) for f in scene[:30]]
    assert found(tmp_path, [*dark, *scene[30:]]) == []


def test_a_turned_video_is_cut_where_the_upright_one_is(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", turned(film([*noise_scene(1, 30), *noise_scene(2, 30)])))
    segments = scan(path, FrameSettings(), SceneSettings()).segments
    assert [s.start_s for s in segments] == pytest.approx([0.0, 1.2])


def test_frames_of_uneven_length_are_judged_by_their_stamps(tmp_path: Path) -> None:
    """A slide show: three frames a second apart are three scenes, though every frame differs from the last."""
    frames = [view(seed) for seed in range(4)]
    path = written(tmp_path / "a.mkv", film(frames, "matroska", times=[0, 25, 60, 100]))
    segments = scan(path, FrameSettings(), SceneSettings()).segments
    assert [s.start_s for s in segments] == pytest.approx([0.0, 1.0, 2.4, 4.0])


def test_a_limit_of_held_frames_moves_no_hard_cut_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "_HELD_BYTES", 3 * 1.5 * SIZE[0] * SIZE[1])
    (at,) = found(tmp_path, [*shot(1), *shot(2)])
    assert 40 / FPS <= at <= 40 / FPS + 0.7


def pushed(pictures: list[Picture], differs: set[int]) -> list[float]:
    transitions = Transitions()
    for i, picture in enumerate(pictures):
        transitions.push(i / FPS, tiny(picture))
        if i in differs:
            transitions.differs(0)
    transitions.finish()
    return transitions.take()


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(20, 50), min_size=1, max_size=4),
    seed=st.integers(0, 100),
    alarms=st.sets(st.integers(0, 200)),
)
def test_false_alarms_of_a_detector_within_still_scenes_cut_nothing(
    lengths: list[int], seed: int, alarms: set[int]
) -> None:
    firsts = [sum(lengths[:i]) for i in range(1, len(lengths))]
    pictures = [view(seed + i) for i, n in enumerate(lengths) for _ in range(n)]
    expected = [
        n / FPS for n in firsts if correlation(*(tiny(pictures[k]).astype(float).ravel() for k in (n - 1, n))) < 0.5
    ]
    assert [t for t in pushed(pictures, alarms | set(firsts)) if t in expected] == expected
    assert set(pushed(pictures, alarms | set(firsts))) <= {n / FPS for n in firsts}


@given(shares=st.lists(st.floats(0, 1), min_size=1, max_size=8), seed=st.integers(0, 1000), light=st.floats(0, 40))
def test_a_mixture_is_explained_whatever_its_brightness(shares: list[float], seed: int, light: float) -> None:
    a, b = np.random.default_rng(seed).uniform(0, 255, (2, 300))
    pictures = np.stack([a, *[(1 - s) * a + s * b + light for s in shares], b])
    share, residue = mixture(pictures)
    assert share == pytest.approx([0, *shares, 1], abs=1e-6)
    assert residue == pytest.approx(0, abs=1e-6)


def test_movement_is_not_explained_as_a_mixture() -> None:
    pictures = np.stack([tiny(view(6, left)).astype(float).ravel() for left in range(0, 2 * SIZE[0], 16)])
    assert mixture(pictures)[1].max() > 0.5


@given(gain=st.floats(0.1, 3), offset=st.floats(-50, 50), seed=st.integers(0, 1000))
def test_correlation_is_blind_to_light_and_contrast(gain: float, offset: float, seed: int) -> None:
    a = np.random.default_rng(seed).uniform(0, 255, 300)
    assert correlation(a, gain * a + offset) == pytest.approx(1, abs=1e-6)
    assert correlation(a, np.full(300, 7.0)) == 0


def test_cuts_come_in_order_and_never_before_what_is_settled() -> None:
    pictures = [*shot(1), *shot(2), *faded(shot(3), 8, 0, out=False), *shot(4)]
    transitions, settled = Transitions(), [0.0]
    cuts_: list[float] = []
    for i, picture in enumerate(pictures):
        transitions.push(i / FPS, tiny(picture))
        if i % 40 == 0:
            transitions.differs(0)
        new = transitions.take()
        assert all(t >= settled[-1] for t in new)
        cuts_ += new
        settled.append(max(settled[-1], transitions.settled_s))
    transitions.finish()
    cuts_ += transitions.take()
    assert cuts_ == sorted(cuts_)
    assert all(b > a for a, b in pairwise(cuts_))
