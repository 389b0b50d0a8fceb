"""Finds where a picture stops: stretches of a video that do not change at all."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2

from pipeline.models.protocols import Picture

_SAME = 2  # levels, 0..255, by which an area of a still picture may change: what coding does to it
_SHORTEST_S = 0.5  # a shorter halt is no stretch worth keeping


@dataclass
class Stillness:
    """Follows small pictures (`cells.tiny`) of one segment, in order, and keeps its still stretches.

    A stretch is still while every area stays as it was when the stretch began, so that neither noise
    nor a mouth that moves far away passes for a halt, and slow movement ends it.
    """

    _picture: Picture | None = None
    _since_s: float = 0.0
    _seen_s: float = 0.0
    _stretches: list[tuple[float, float]] = field(default_factory=list)

    def add(self, time_s: float, picture: Picture) -> None:
        """Take the next frame."""
        if self._picture is None or cv2.norm(picture, self._picture, cv2.NORM_INF) > _SAME:
            self._end(time_s)
            self._picture, self._since_s = picture, time_s
        self._seen_s = time_s

    def _end(self, time_s: float) -> None:
        if time_s - self._since_s >= _SHORTEST_S:
            self._stretches.append((self._since_s, time_s))

    def longest(self, start_s: float, end_s: float) -> tuple[float, float]:
        """(start, length) in seconds of the longest still stretch within start_s..end_s; (start_s, 0.0) for none."""
        stretches = [*self._stretches, (self._since_s, end_s)] if self._picture is not None else []
        within = [(max(a, start_s), min(b, end_s)) for a, b in stretches]
        lengths = [(b - a, -a) for a, b in within if b - a >= _SHORTEST_S]
        length_s, minus_start_s = max(lengths, default=(0.0, -start_s))
        return -minus_start_s, length_s

    def forget_before(self, time_s: float) -> None:
        """Drop what ended before `time_s`."""
        self._stretches = [s for s in self._stretches if s[1] > time_s]
