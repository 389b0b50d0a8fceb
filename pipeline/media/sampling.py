"""Which frames stand for a segment, chosen while its end is not yet known.

Frames are taken on a grid of the file's clock. The grid's step is a power of two times
1 / sample_fps, fixed by the segment's duration alone. A coarser grid is part of any finer one and
durations only grow, so thinning as frames come in ends at the frames that a second pass, with the
end known, would choose: cached and recomputed pixels are equal. Because the grid belongs to the
file, the same holds for the parts of a segment that is divided after the fact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.budget import budgeted
from pipeline.media.jpeg import encode_jpeg
from pipeline.media.videos import Frame
from pipeline.models.protocols import Pixels

FEW = 3  # frames that even a short segment gives when it has them
UNDIVIDED = 1e9  # seconds; no video is as long
_FINEST_S = 1 / 1024
_ROUNDING = 1e-4  # of a step: times are rounded to a microsecond


def step_s(duration_s: float, settings: FrameSettings) -> float:
    """Seconds between sampled frames of a segment.

    1 / sample_fps where that gives at least FEW and at most max_frames frames wherever on the clock
    the segment begins; halved for shorter segments, doubled for longer ones.
    """
    step = 1 / settings.sample_fps
    while step > _FINEST_S and (FEW + 1) * step > duration_s:
        step /= 2
    while math.floor(duration_s / step + _ROUNDING) > settings.max_frames:
        step *= 2
    return step


def on_grid(time_s: float, previous_s: float, step: float) -> bool:
    """Whether a frame is the first at or after a multiple of `step`.

    time_s, previous_s: of the frame and of the one before it, on the file's clock.
    """
    return math.floor(time_s / step + _ROUNDING) > math.floor(previous_s / step + _ROUNDING)


@dataclass(frozen=True)
class _Kept:
    time_s: float
    previous_s: float
    jpeg: bytes


@dataclass
class Sampler:
    """Collects the frames of one segment, which may be divided into parts of at most `longest_s`.

    Holds at most max_frames JPEGs (four times that where the segment is divided) and a few raw frames.
    """

    start_s: float
    settings: FrameSettings
    longest_s: float = UNDIVIDED
    _first: tuple[float, Frame | bytes] | None = None  # with its time
    _last: Frame | None = None
    _waiting: list[tuple[float, Frame]] = field(default_factory=list)  # (time of the frame before, frame)
    _kept: list[_Kept] = field(default_factory=list)
    _divided: bool = False

    def add(self, frame: Frame) -> None:
        """Take the segment's next frame."""
        if self._last is None:
            self._first, self._last = (frame.time_s, frame), frame
            return
        previous, self._last = self._last.time_s, frame
        step = self._finest_step(frame.time_s)
        self._waiting = [(p, f) for p, f in self._waiting if on_grid(f.time_s, p, step)]
        self._kept = [k for k in self._kept if on_grid(k.time_s, k.previous_s, step)]
        if on_grid(frame.time_s, previous, step):
            self._waiting.append((previous, frame))
            self._settle()

    def _finest_step(self, now_s: float) -> float:
        """Of the segment, should it end now, or of the shortest part it may be divided into."""
        half_s = self.longest_s / 2
        return step_s(half_s if self._divided else min(now_s - self.start_s, half_s), self.settings)

    def _settle(self) -> None:
        """Encode those that stay however long the segment gets, until it exceeds max_frames."""
        base = min(1 / self.settings.sample_fps, step_s(self.longest_s / 2, self.settings))
        for previous, frame in self._waiting:
            if on_grid(frame.time_s, previous, base):
                self._kept.append(_Kept(frame.time_s, previous, self._encoded(frame)))
        self._waiting = [(p, f) for p, f in self._waiting if not on_grid(f.time_s, p, base)]

    def _encoded(self, frame: Frame | bytes) -> bytes:
        return frame if isinstance(frame, bytes) else encode_jpeg(frame.picture(self.settings.max_side_px))

    def division_s(self, end_s: float) -> float | None:
        """Where a first part ends: half way, or after `longest_s` where the rest is as long again.

        Parts begin with a sampled frame, so one may be a step longer than `longest_s`. None for a segment
        that is short enough, or has no such frame.
        """
        if end_s - self.start_s <= self.longest_s:
            return None
        aim_s = self.start_s + min((end_s - self.start_s) / 2, self.longest_s)
        times = [k.time_s for k in self._kept if self.start_s < k.time_s < end_s]
        return min(times, key=lambda t: (abs(t - aim_s), t), default=None)

    def divided(self, at_s: float) -> Pixels:
        """The frames for start_s..at_s, which `division_s` gave; the segment then goes on from there."""
        begins = next(k for k in self._kept if k.time_s == at_s)
        pixels = self._pixels(at_s, begins.previous_s)
        self.start_s, self._first, self._divided = at_s, (at_s, begins.jpeg), True
        self._kept = [k for k in self._kept if k.time_s > at_s]
        return pixels

    def pixels(self, end_s: float) -> Pixels:
        """The frames chosen for start_s..end_s, in time order.

        The first and last frame of the segment, into which a cut may bleed, are left out where
        FEW others remain. Raises MediaError no_frames when no frame came.
        """
        if self._last is None:
            raise MediaError("no_frames", f"no frame in {self.start_s:.3f}..{end_s:.3f} s")
        return self._pixels(end_s, self._last.time_s)

    def _pixels(self, end_s: float, last_s: float) -> Pixels:
        step = step_s(end_s - self.start_s, self.settings)
        chosen: dict[float, Frame | bytes] = {
            k.time_s: k.jpeg for k in self._kept if k.time_s <= last_s and on_grid(k.time_s, k.previous_s, step)
        }
        chosen |= {f.time_s: f for p, f in self._waiting if f.time_s <= last_s and on_grid(f.time_s, p, step)}
        last = chosen.pop(last_s, self._last if self._last and self._last.time_s == last_s else None)
        for time_s, edge in (self._first or (last_s, None), (last_s, last)):
            if len(chosen) < min(FEW, self.settings.max_frames) and edge is not None and time_s not in chosen:
                chosen[time_s] = edge
        times = tuple(sorted(chosen))
        frames = budgeted([self._encoded(chosen[t]) for t in times], self.settings.max_video_pixels)
        return Pixels(frames, times, video=True)
