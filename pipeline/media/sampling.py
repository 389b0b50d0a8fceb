"""Which frames stand for a segment, chosen while its end is not yet known.

Frames are taken on a grid that starts at the segment's start. The grid's step is a power of two
times 1 / sample_fps, fixed by the segment's duration alone. A coarser grid is part of any finer
one and durations only grow, so thinning as frames come in ends at the frames that a second pass,
with the end known, would choose: cached and recomputed pixels are equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.jpeg import encode_jpeg
from pipeline.media.videos import Frame
from pipeline.models.protocols import Pixels

FEW = 3  # frames that even a short segment gives when it has them
_FINEST_S = 1 / 1024
_ROUNDING = 1e-4  # of a step: times are rounded to a microsecond


def step_s(duration_s: float, settings: FrameSettings) -> float:
    """Seconds between sampled frames of a segment.

    1 / sample_fps where that gives at least FEW and at most max_frames frames; halved for
    shorter segments, doubled for longer ones.
    """
    step = 1 / settings.sample_fps
    while step > _FINEST_S and (FEW + 1) * step > duration_s:
        step /= 2
    while math.ceil(duration_s / step - _ROUNDING) - 1 > settings.max_frames:
        step *= 2
    return step


def on_grid(offset_s: float, previous_s: float, step: float) -> bool:
    """Whether a frame is the first at or after a multiple (from 1) of `step`.

    offset_s, previous_s: times of the frame and the one before it, from the segment's start.
    """
    reached = math.floor(offset_s / step + _ROUNDING)
    return reached >= 1 and reached > math.floor(previous_s / step + _ROUNDING)


@dataclass(frozen=True)
class _Kept:
    time_s: float
    previous_s: float
    jpeg: bytes


@dataclass
class Sampler:
    """Collects the frames of one segment; holds at most max_frames JPEGs and a few raw frames."""

    start_s: float
    settings: FrameSettings
    _first: Frame | None = None
    _last: Frame | None = None
    _waiting: list[tuple[float, Frame]] = field(default_factory=list)  # (time of the frame before, frame)
    _kept: list[_Kept] = field(default_factory=list)

    def add(self, frame: Frame) -> None:
        """Take the segment's next frame."""
        offset = frame.time_s - self.start_s
        if self._last is None:
            self._first = self._last = frame
            return
        previous = self._last.time_s - self.start_s
        self._last = frame
        step = step_s(offset, self.settings)
        self._waiting = [(p, f) for p, f in self._waiting if on_grid(f.time_s - self.start_s, p, step)]
        self._kept = [k for k in self._kept if on_grid(k.time_s - self.start_s, k.previous_s, step)]
        if on_grid(offset, previous, step):
            self._waiting.append((previous, frame))
            self._settle()

    def _settle(self) -> None:
        """Encode those that stay however long the segment gets, until it exceeds max_frames."""
        base = 1 / self.settings.sample_fps
        for previous, frame in self._waiting:
            if on_grid(frame.time_s - self.start_s, previous, base):
                self._kept.append(_Kept(frame.time_s, previous, self._encoded(frame)))
        self._waiting = [(p, f) for p, f in self._waiting if not on_grid(f.time_s - self.start_s, p, base)]

    def _encoded(self, frame: Frame) -> bytes:
        return encode_jpeg(frame.picture(self.settings.max_side_px))

    def pixels(self, end_s: float) -> Pixels:
        """The frames chosen for start_s..end_s, in time order.

        The first and last frame of the segment, into which a cut may bleed, are left out where
        FEW others remain. Raises MediaError no_frames when no frame came.
        """
        if self._first is None or self._last is None:
            raise MediaError("no_frames", f"no frame in {self.start_s:.3f}..{end_s:.3f} s")
        step = step_s(end_s - self.start_s, self.settings)
        chosen = {k.time_s: k.jpeg for k in self._kept if on_grid(k.time_s - self.start_s, k.previous_s, step)}
        for previous, frame in self._waiting:
            if on_grid(frame.time_s - self.start_s, previous, step):
                chosen[frame.time_s] = self._encoded(frame)
        edge = chosen.pop(self._last.time_s, None)
        for frame in (self._first, self._last):
            if len(chosen) < min(FEW, self.settings.max_frames) and frame.time_s not in chosen:
                known = edge if frame is self._last else None
                chosen[frame.time_s] = known if known is not None else self._encoded(frame)
        times = tuple(sorted(chosen))
        return Pixels(tuple(chosen[t] for t in times), times, video=True)
