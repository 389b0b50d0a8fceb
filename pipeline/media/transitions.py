"""Decides where one scene gives way to the next, from what small pictures of the frames show.

A detector says which frames differ from the one before. That alone cuts at flashes, in fast pans
and twice at a fade through black, and does not see a dissolve. The rules here look at what stands
before and after, on pictures of 32 x 24 cells, which keep what a scene looks like and lose noise
and small movement:

- The same scene in another light (cells correlate) is the same scene: no lighting change, fade of
  one scene or flash cuts.
- A change that does not stand out from those on both sides is movement: no cut inside a fast pan.
- What is back within half a second was a flash or a glitch: no cut.
- A plain picture (black, white, one colour) that lasts less than a segment must is a passage: one
  cut in its middle when the scenes on both sides differ, none when they are the same. A longer one
  is a segment of its own.
- Where every picture between two is a mixture of them, and ever more of the second, one dissolves
  into the other: one cut where the second prevails. The test is linear mixing, as dissolves are
  made: X = (1 - a) A + a B with a rising.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.models.protocols import Picture

CELLS = (32, 24)  # across and down
Cells = NDArray[np.float64]  # [24 * 32 * 3], whole numbers 0..255, so that sums of products are exact

_SAME_LIGHT = 0.9  # correlation from which two neighbouring pictures show the same scene
_SAME_SCENE = 0.7  # the same across a plain picture, while which things move
_CLEAR = 0.25  # of its contrast, from which a fading picture is compared: the nearer to the passage, the less has moved
_UNRELATED = 0.55  # below it, pictures at both ends of a mixture show two scenes and not movement in one
_STANDS_OUT = 1.75  # times the median change of the frames on either side
_BESIDE = 3  # frames on each side, as far as they lie within _BESIDE_S
_BESIDE_S = 0.25
_FLASH_S = 0.5
_PLAIN = 3.0  # standard deviation of the cells of a picture without content, 0..255
_CONTRAST_S = 1.0  # how far from a plain picture its scene is looked for
_STEP_S = 1 / 12  # between pictures that are looked at for dissolves
_LONGEST_S = 2.2  # a dissolve, with a little of both scenes
_SHORTEST = 3  # steps
_DISSOLVES = 10.0  # mean difference of two scenes, 0..255
_RESIDUE = 0.25  # of a mixture, as a share of the difference
_RESIDUE_EACH = 0.32  # the same of any frame; those between the steps show a fast pan for what it is
_STEEPEST = 0.5  # growth of the share from frame to frame; a pan that sets in is steeper
_FALLS = 0.04  # by which the share of the second scene may fall back
_SETTLED_S = 0.34  # after which a dissolve that gets no clearer is over
_CLEARER = 1.05
_HELD_S = 1.3  # a dissolve's middle is known this much later
_ACTIVE = 2.0  # mean change over three steps that may be part of a dissolve, 0..255


def tiny(picture: Picture) -> Picture:
    """Mean colour of 32 x 24 areas of a uint8 [H, W, 3] picture: uint8 [24, 32, 3]."""
    return np.asarray(cv2.resize(picture, CELLS, interpolation=cv2.INTER_AREA), np.uint8)


def correlation(a: Cells, b: Cells) -> float:
    """Pearson's correlation of two pictures' cells, -1..1: blind to brightness and contrast; 0 where one is plain."""
    sum_a, sum_b, size = float(a.sum()), float(b.sum()), len(a)
    spread = (size * float(a @ a) - sum_a**2) * (size * float(b @ b) - sum_b**2)
    return (size * float(a @ b) - sum_a * sum_b) / math.sqrt(spread) if spread > 0 else 0.0


@dataclass
class _Seen:
    time_s: float
    picture: Picture
    cells: Cells
    contrast: float  # largest standard deviation of a channel's cells
    change: float  # mean absolute change from the frame before
    differs: bool = False  # says the detector

    @property
    def plain(self) -> bool:
        return self.contrast < _PLAIN


@dataclass(frozen=True)
class _Hard:
    time_s: float
    before: Cells


@dataclass(frozen=True)
class _Passage:
    """A plain stretch that is over; what it led to shows when the picture has contrast again."""

    start_s: float
    end_s: float
    before: _Seen | None


@dataclass(frozen=True)
class _Dissolve:
    difference: float
    start: _Seen
    end: _Seen
    since_s: float  # of its last improvement


def _looks_same(a: Cells, b: Cells) -> bool:
    return correlation(a, b) >= _SAME_LIGHT


def _difference(a: _Seen, b: _Seen) -> float:
    return float(cv2.norm(a.picture, b.picture, cv2.NORM_L1)) / a.picture.size


class Transitions:
    """Takes frames one by one, says when a cut is sure, and how far back one may still come.

    min_plain_s: from this length on a plain stretch is a segment of its own.
    """

    def __init__(self, min_plain_s: float) -> None:
        self._min_plain_s = min_plain_s
        self._seen: deque[_Seen] = deque()
        self._judged = 0  # of those, how many hard changes have been judged
        self._hard: list[_Hard] = []
        self._plain_since: float | None = None
        self._plain_before: _Seen | None = None
        self._passage: _Passage | None = None
        self._steps: list[_Seen] = []
        self._products: NDArray[np.float64] = np.zeros((0, 0))
        self._dissolve: _Dissolve | None = None
        self._barrier_s = 0.0  # no transition reaches back across the last cut
        self._cuts: list[float] = []

    def push(self, time_s: float, picture: Picture) -> None:
        """Take the next frame, as `tiny` gives it."""
        contrast = float(cv2.meanStdDev(picture)[1].max())
        change = cv2.norm(picture, self._seen[-1].picture, cv2.NORM_L1) / picture.size if self._seen else 0.0
        seen = _Seen(time_s, picture, picture.astype(np.float64).ravel(), contrast, change)
        self._seen.append(seen)
        self._follow_plain(seen)
        self._judge_hard(final=False)
        self._follow_flashes(seen)
        if not self._steps or time_s - self._steps[-1].time_s >= _STEP_S:
            self._step(seen)
        while time_s - self._seen[0].time_s > _LONGEST_S + _HELD_S and self._judged > 1:
            self._seen.popleft()
            self._judged -= 1

    def differs(self, frames_ago: int) -> None:
        """Mark a frame as one that differs from the frame before it; 0 is the last one pushed."""
        if frames_ago < len(self._seen):
            self._seen[-1 - frames_ago].differs = True

    def finish(self) -> None:
        """No more frames come."""
        self._judge_hard(final=True)
        self._confirm_hard(np.inf)
        if self._passage is not None:
            self._close_passage(self._seen[-1])
        if self._dissolve is not None:
            self._close_dissolve()

    def take(self) -> list[float]:
        """The times of frames that begin a scene and became sure since the last call."""
        cuts, self._cuts = self._cuts, []
        return cuts

    @property
    def settled_s(self) -> float:
        """No cut will come before this time."""
        if not self._seen:
            return 0.0
        open_s = [self._seen[min(self._judged, len(self._seen) - 1)].time_s, *(h.time_s for h in self._hard[:1])]
        if self._plain_since is not None:
            open_s.append(self._plain_since)
        if self._passage is not None:
            open_s.append(self._passage.start_s)
        if self._dissolve is not None:
            open_s.append(self._dissolve.start.time_s)
        if self._active():
            open_s.append(max(self._barrier_s, self._seen[-1].time_s - _HELD_S))
        return min(open_s)

    def _cut(self, time_s: float, over_s: float = 0.0) -> None:
        """A scene begins with the frame at `time_s`; of what came before `over_s` nothing more is to be seen."""
        self._cuts.append(time_s)
        self._barrier_s = max(self._barrier_s, time_s, over_s)
        self._dissolve = None
        keep = [i for i, s in enumerate(self._steps) if s.time_s >= self._barrier_s]
        self._steps = [self._steps[i] for i in keep]
        self._products = self._products[np.ix_(keep, keep)]

    # Hard cuts

    def _judge_hard(self, final: bool) -> None:
        """Look at each frame once those beside it are known."""
        while self._judged < len(self._seen):
            i = self._judged
            beside = len(self._seen) - 1 - i >= _BESIDE or self._seen[-1].time_s - self._seen[i].time_s > _BESIDE_S
            if not (beside or final):
                return
            self._judged += 1
            if i > 0 and self._seen[i].differs and self._is_hard(i):
                self._hard.append(_Hard(self._seen[i].time_s, self._seen[i - 1].cells))
                self._dissolve = None

    def _is_hard(self, i: int) -> bool:
        now, before = self._seen[i], self._seen[i - 1]
        lately = itertools.takewhile(lambda s: now.time_s - s.time_s <= _FLASH_S, reversed(list(self._seen)[:i]))
        if now.plain or before.plain or any(_looks_same(s.cells, now.cells) for s in lately):
            return False
        sides = (range(max(1, i - _BESIDE), i), range(i + 1, min(len(self._seen), i + _BESIDE + 1)))
        return all(now.change >= _STANDS_OUT * self._usual_change(now, side) for side in sides)

    def _usual_change(self, now: _Seen, side: range) -> float:
        near = [self._seen[k] for k in side if abs(self._seen[k].time_s - now.time_s) <= _BESIDE_S]
        return float(np.median([s.change for s in near])) if near else 0.0

    def _follow_flashes(self, seen: _Seen) -> None:
        """Drop changes that are undone; the rest become cuts when the time for that is over."""
        for i, hard in enumerate(self._hard):
            if hard.time_s < seen.time_s <= hard.time_s + _FLASH_S and _looks_same(hard.before, seen.cells):
                del self._hard[i:]
                break
        self._confirm_hard(seen.time_s)

    def _confirm_hard(self, now_s: float) -> None:
        while self._hard and now_s - self._hard[0].time_s > _FLASH_S:
            self._cut(self._hard.pop(0).time_s)

    # Plain pictures: fades through black or white, flashes, titles of one colour

    def _follow_plain(self, seen: _Seen) -> None:
        if self._passage is not None:
            self._look_behind(self._passage, seen)
        if seen.plain and self._plain_since is None:
            self._plain_since, self._plain_before = seen.time_s, self._scene_before(seen.time_s)
            self._dissolve = None
        if self._plain_since is None:
            return
        start_s, lasts_s = self._plain_since, seen.time_s - self._plain_since
        if lasts_s >= self._min_plain_s and start_s > max(self._barrier_s, self._seen[0].time_s):
            self._cut(start_s)
        if seen.plain:
            return
        self._plain_since = None
        if lasts_s >= self._min_plain_s:
            self._cut(seen.time_s)
        else:
            self._passage = _Passage(start_s, seen.time_s, self._plain_before)

    def _scene_before(self, time_s: float) -> _Seen | None:
        first_s = max(self._barrier_s, time_s - _CONTRAST_S)
        scene = [s for s in self._seen if first_s <= s.time_s < time_s and not s.plain]
        clear = max((s.contrast for s in scene), default=0.0) * _CLEAR
        return next((s for s in reversed(scene) if s.contrast >= clear), None)

    def _look_behind(self, passage: _Passage, seen: _Seen) -> None:
        enough = passage.before is None or seen.contrast >= passage.before.contrast * _CLEAR
        if enough or seen.plain or seen.time_s - passage.end_s >= _CONTRAST_S:
            self._close_passage(seen)

    def _close_passage(self, after: _Seen) -> None:
        passage, self._passage = self._passage, None
        if passage is None or passage.before is None or after.plain:
            return
        if correlation(passage.before.cells, after.cells) < _SAME_SCENE:
            middle = (passage.start_s + passage.end_s) / 2
            self._hard = [h for h in self._hard if h.time_s > passage.end_s]
            self._cut(next(s.time_s for s in self._seen if s.time_s >= middle))

    # Dissolves

    def _active(self) -> bool:
        recent = [s for s in self._steps if s.time_s >= self._seen[-1].time_s - _HELD_S]
        return any(_difference(a, b) >= _ACTIVE for a, b in zip(recent, recent[3:], strict=False))

    def _step(self, seen: _Seen) -> None:
        old = sum(s.time_s < seen.time_s - _LONGEST_S for s in self._steps)
        self._steps = [*self._steps[old:], seen]
        stacked = np.stack([s.cells for s in self._steps])
        row = stacked @ seen.cells - stacked.sum(axis=1) * seen.cells.sum() / len(seen.cells)
        size = len(self._steps)
        products = np.empty((size, size))
        products[:-1, :-1] = self._products[old:, old:]
        products[-1, :] = products[:, -1] = row
        self._products = products
        self._look_for_dissolve(seen)
        if self._dissolve is not None and seen.time_s - self._dissolve.since_s >= _SETTLED_S:
            self._close_dissolve()

    def _look_for_dissolve(self, end: _Seen) -> None:
        k = len(self._steps) - 1
        if end.plain or self._plain_since is not None or self._passage is not None or self._hard:
            return
        for j in range(k - _SHORTEST, -1, -1):
            start = self._steps[j]
            if start.plain:
                return
            difference = _difference(start, end)
            least = _DISSOLVES if self._dissolve is None else self._dissolve.difference * _CLEARER
            if difference >= least and self._mixes(j, k) and correlation(start.cells, end.cells) < _UNRELATED:
                self._dissolve = _Dissolve(difference, start, end, end.time_s)

    def _mixes(self, j: int, k: int) -> bool:
        """Whether the pictures j..k are mixtures of those two, with ever more of k."""
        p = self._products
        span = p[k, k] - 2 * p[j, k] + p[j, j]
        if span < _DISSOLVES**2 * len(self._steps[j].cells):
            return False
        between = np.arange(j, k + 1)
        share = (p[between, k] - p[between, j] - p[j, k] + p[j, j]) / span
        away = p.diagonal()[between] - 2 * p[between, j] + p[j, j]
        residue = np.sqrt(np.maximum(away - share**2 * span, 0) / span)
        return bool(residue.max() <= _RESIDUE and np.diff(share).min() >= -_FALLS)

    def _close_dissolve(self) -> None:
        found, self._dissolve = self._dissolve, None
        if found is None:
            return
        between = [s for s in self._seen if found.start.time_s <= s.time_s <= found.end.time_s]
        share, residue = mixture(np.stack([s.cells for s in between]))
        if residue.max() <= _RESIDUE_EACH and np.diff(share).max() <= _STEEPEST:
            prevails = int(np.argmax(share >= 0.5))
            self._cut(between[prevails].time_s, found.end.time_s)


def mixture(pictures: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far each picture is a mixture of the first and the last, apart from brightness.

    pictures: [N, cells], two or more, first and last of them different in more than brightness.
    Returns (share of the last, what is left unexplained over the difference of first and last), [N] each:
    the least squares solution of X - A = share (B - A) + residue.
    """
    centred = pictures - pictures.mean(axis=1, keepdims=True)
    away = centred - centred[0]
    span = float(away[-1] @ away[-1])
    share = away @ away[-1] / span
    residue = np.sqrt(((away - share[:, None] * away[-1]) ** 2).sum(axis=1) / span)
    return share, residue
