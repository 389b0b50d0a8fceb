"""Windows over a stream of frames, and what becomes of the network's answers; the network here is a formula."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.media.shots import HEIGHT_PX, WIDTH_PX, Shots, Windows

LATEST = 74  # frames after its own with which an answer comes


def picture(value: int) -> NDArray[np.uint8]:
    return np.full((HEIGHT_PX, WIDTH_PX, 3), value, np.uint8)


def blended(window: NDArray[np.uint8]) -> NDArray[np.float32]:
    """An answer that depends on every picture of the window and on where it stands in it."""
    levels = window[:, 0, 0, 0].astype(np.float64)
    places = np.arange(len(levels))
    return np.asarray([np.sin(levels @ np.cos(places * (t + 1))) / 2 + 0.5 for t in places], np.float32)


def certain(window: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The probability is the level of the picture over 200."""
    return np.asarray(window[:, 0, 0, 0] / np.float32(200), np.float32)


def of_a_padded_clip(levels: list[int]) -> list[float]:
    """As the authors do it: 25 copies of the first picture before, as many of the last behind as fill whole windows."""
    behind = 25 + 50 - (len(levels) % 50 or 50)
    padded = np.stack([picture(v) for v in [levels[0]] * 25 + levels + [levels[-1]] * behind])
    answers = [blended(padded[at : at + 100])[25:75] for at in range(0, len(padded) - 99, 50)]
    return [float(answer) for answer in np.concatenate(answers)[: len(levels)]]


@given(length=st.integers(1, 260), seed=st.integers(0, 1000))
def test_answers_to_a_stream_are_those_to_the_whole_padded_clip(length: int, seed: int) -> None:
    levels = np.random.default_rng(seed).integers(0, 256, length).tolist()
    windows, answers = Windows(blended), []
    for number, level in enumerate(levels):
        answers += windows.push(picture(level))
        assert number + 1 - len(answers) <= LATEST
    answers += windows.finish()
    assert answers == of_a_padded_clip(levels)
    assert windows.finish() == []


def test_a_stream_without_pictures_has_no_answers() -> None:
    assert Windows(blended).finish() == []


def shots_of(levels: list[int], times: list[float], plain: Collection[int] = (), limit: float = 0.5) -> list[float]:
    """The cuts, held to what `settled_s` promised before each frame."""
    shots, settled = Shots(certain, limit), 0.0
    cuts: list[float] = []
    for number, (level, time_s) in enumerate(zip(levels, times, strict=True)):
        shots.push(time_s, picture(level), number in plain)
        new = shots.take()
        assert all(cut >= settled for cut in new)
        assert shots.settled_s >= settled
        cuts, settled = cuts + new, shots.settled_s
    shots.finish()
    new = shots.take()
    assert all(cut >= settled for cut in new)
    return sorted({*cuts, *new})


@given(
    ends=st.lists(st.booleans(), min_size=1, max_size=200),
    steps=st.integers(0, 100),
    limit=st.sampled_from([0.25, 0.5, 0.75]),
)
def test_a_shot_begins_with_the_frame_behind_each_run_of_likely_ends(
    ends: list[bool], steps: int, limit: float
) -> None:
    times = np.cumsum(np.random.default_rng(steps).uniform(0.01, 0.2, len(ends))).tolist()
    levels = [int(limit * 200) + 1 if end else int(limit * 200) for end in ends]
    expected = [times[i] for i in range(1, len(ends)) if ends[i - 1] and not ends[i]]
    assert shots_of(levels, times, limit=limit) == expected


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (range(30, 50), [1.2, 2.0]),
        (range(30, 51), [1.2, 2.04]),
        (range(30, 49), []),
        (range(20), [0.0, 0.8]),
        (range(75, 100), [3.0]),
    ],
    ids=["0.8 s", "longer", "shorter", "at the beginning", "at the end"],
)
def test_a_plain_stretch_that_lasts_is_apart_from_what_is_beside_it(frames: range, expected: list[float]) -> None:
    times = [i / 25 for i in range(100)]
    assert shots_of([0] * 100, times, plain=set(frames)) == pytest.approx(expected)


def test_a_plain_stretch_and_the_network_together_cut_once_at_one_frame() -> None:
    levels = [200 if i in (29, 59) else 0 for i in range(100)]
    assert shots_of(levels, [i / 25 for i in range(100)], plain=set(range(30, 60))) == pytest.approx([1.2, 2.4])


@given(lengths=st.lists(st.integers(1, 60), min_size=2, max_size=6))
def test_no_frame_waits_for_more_than_a_window(lengths: list[int]) -> None:
    """Nor does a stretch that is plain and long: it is sure after 0.8 s."""
    plain = [bool(i % 2) for i, length in enumerate(lengths) for _ in range(length)]
    shots = Shots(certain, 0.5)
    for number, flag in enumerate(plain):
        shots.push(number / 25, picture(0), flag)
        assert number - shots.settled_s * 25 <= LATEST + 1
