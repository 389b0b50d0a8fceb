"""Decides where one scene gives way to the next, from what small pictures of the frames show.

A detector says which frames differ from the one before. That alone cuts at flashes, in fast pans
and twice at a fade through black, and does not see a dissolve. The rules here look at what stands
before and after, on the small pictures of `cells`:

- The same scene in another light (cells correlate) is the same scene: no lighting change, fade of
  one scene or flash cuts.
- A change that does not stand out from those on both sides is movement: no cut inside a fast pan.
- What is back within half a second was a flash or a glitch: no cut.
- A plain picture (black, white, one colour) that lasts less than 0.8 s is a passage: one
  cut in its middle when the scenes on both sides differ, none when they are the same. A longer one
  is a segment of its own.
- Where every picture between two is a mixture of them, one dissolves into the other (`dissolves`):
  one cut where the second prevails.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass

import numpy as np

from pipeline.media.cells import Cells, Look, correlation, look
from pipeline.media.dissolves import Dissolves
from pipeline.models.protocols import Picture

_SAME_LIGHT = 0.9  # correlation from which two neighbouring pictures show the same scene
_SAME_SCENE = 0.7  # the same across a plain picture, while which things move
_CLEAR = 0.25  # of its contrast, from which a fading picture is compared: the nearer to the passage, the less has moved
_STANDS_OUT = 1.75  # times the median change of the frames on either side
_BESIDE = 3  # frames on each side, as far as they lie within _BESIDE_S
_BESIDE_S = 0.25
_FLASH_S = 0.5
PASSAGE_S = 0.8  # from here on a plain stretch is a segment of its own
_CONTRAST_S = 1.0  # how far from a plain picture its scene is looked for
_KEPT_S = 3.5  # of frames' looks: the longest dissolve and what it takes to be sure of it
_HELD_S = 1.3  # a dissolve's middle is known this much later


@dataclass(frozen=True)
class _Hard:
    time_s: float
    before: Cells


@dataclass(frozen=True)
class _Passage:
    """A plain stretch that is over; what it led to shows when the picture has contrast again."""

    start_s: float
    end_s: float
    before: Look | None


def _looks_same(a: Cells, b: Cells) -> bool:
    return correlation(a, b) >= _SAME_LIGHT


class Transitions:
    """Takes frames one by one, says when a cut is sure, and how far back one may still come."""

    def __init__(self) -> None:
        self._seen: deque[Look] = deque()
        self._judged = 0  # of those, how many hard changes have been judged
        self._hard: list[_Hard] = []
        self._plain_since: float | None = None
        self._plain_before: Look | None = None
        self._passage: _Passage | None = None
        self._dissolves = Dissolves()
        self._barrier_s = 0.0  # the file's beginning or the last cut; no transition reaches back across it
        self._cuts: list[float] = []

    def push(self, time_s: float, picture: Picture) -> None:
        """Take the next frame, as `tiny` gives it."""
        seen = look(time_s, picture, self._seen[-1] if self._seen else None)
        self._seen.append(seen)
        self._follow_plain(seen)
        self._judge_hard(final=False)
        self._follow_flashes(seen)
        busy = bool(self._hard) or self._plain_since is not None or self._passage is not None
        self._dissolves.push(seen, busy)
        if self._dissolves.settled(time_s):
            self._close_dissolve()
        while time_s - self._seen[0].time_s > _KEPT_S and self._judged > 1:
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
        if self._dissolves.candidate is not None:
            open_s.append(self._dissolves.candidate.start.time_s)
        if self._dissolves.active_since(self._seen[-1].time_s - _HELD_S):
            open_s.append(max(self._barrier_s, self._seen[-1].time_s - _HELD_S))
        return min(open_s)

    def _cut(self, time_s: float, over_s: float = 0.0) -> None:
        """A scene begins with the frame at `time_s`; of what came before `over_s` nothing more is to be seen."""
        self._cuts.append(time_s)
        self._barrier_s = max(self._barrier_s, time_s, over_s)
        self._dissolves.candidate = None
        self._dissolves.forget_before(self._barrier_s)

    def _close_dissolve(self) -> None:
        found = self._dissolves.close(self._seen)
        if found is not None:
            self._cut(*found)

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
                self._dissolves.candidate = None

    def _is_hard(self, i: int) -> bool:
        now, before = self._seen[i], self._seen[i - 1]
        lately = itertools.takewhile(lambda s: now.time_s - s.time_s <= _FLASH_S, reversed(list(self._seen)[:i]))
        if now.plain or before.plain or any(_looks_same(s.cells, now.cells) for s in lately):
            return False
        sides = (range(max(1, i - _BESIDE), i), range(i + 1, min(len(self._seen), i + _BESIDE + 1)))
        return all(now.change >= _STANDS_OUT * self._usual_change(now, side) for side in sides)

    def _usual_change(self, now: Look, side: range) -> float:
        near = [self._seen[k] for k in side if abs(self._seen[k].time_s - now.time_s) <= _BESIDE_S]
        return float(np.median([s.change for s in near])) if near else 0.0

    def _follow_flashes(self, seen: Look) -> None:
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

    def _follow_plain(self, seen: Look) -> None:
        if self._passage is not None:
            self._look_behind(self._passage, seen)
        if seen.plain and self._plain_since is None:
            self._plain_since, self._plain_before = seen.time_s, self._scene_before(seen.time_s)
            self._dissolves.candidate = None
        if self._plain_since is None:
            return
        start_s, lasts_s = self._plain_since, seen.time_s - self._plain_since
        if lasts_s >= PASSAGE_S and start_s > self._barrier_s:
            self._cut(start_s)
        if seen.plain:
            return
        self._plain_since = None
        if lasts_s >= PASSAGE_S:
            self._cut(seen.time_s)
        else:
            self._passage = _Passage(start_s, seen.time_s, self._plain_before)

    def _scene_before(self, time_s: float) -> Look | None:
        first_s = max(self._barrier_s, time_s - _CONTRAST_S)
        scene = [s for s in self._seen if first_s <= s.time_s < time_s and not s.plain]
        clear = max((s.contrast for s in scene), default=0.0) * _CLEAR
        return next((s for s in reversed(scene) if s.contrast >= clear), None)

    def _look_behind(self, passage: _Passage, seen: Look) -> None:
        enough = passage.before is None or seen.contrast >= passage.before.contrast * _CLEAR
        if enough or seen.plain or seen.time_s - passage.end_s >= _CONTRAST_S:
            self._close_passage(seen)

    def _close_passage(self, after: Look) -> None:
        passage, self._passage = self._passage, None
        if passage is None or passage.before is None or after.plain:
            return
        if correlation(passage.before.cells, after.cells) < _SAME_SCENE:
            middle = (passage.start_s + passage.end_s) / 2
            self._hard = [h for h in self._hard if not passage.start_s <= h.time_s <= passage.end_s]
            self._cut(next(s.time_s for s in self._seen if s.time_s >= middle))
