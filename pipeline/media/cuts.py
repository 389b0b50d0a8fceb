"""Finds scene cuts while frames pass by, with PySceneDetect's ContentDetector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from scenedetect import ContentDetector, FrameTimecode

from pipeline.errors import MediaError
from pipeline.media.videos import Frame
from pipeline.models.protocols import Picture

_SIDE_PX = 320
_FLASH_S = 0.25  # what comes and goes within this is a flash or a glitch, not a scene
_CLOCK_FPS = 1000.0  # of the detector's timecodes, which nothing here depends on


@dataclass(frozen=True)
class _Seen:
    frame: Frame
    content: Picture  # what the detector looks at: small, BGR
    differs: bool  # from the frame before


class _Detector:
    """Says whether a picture differs from the one before it.

    The detector's own filter for short scenes stays off: it drops cuts, so that a scene would
    begin with frames of another. `find_cuts` looks at what stands before and after instead.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._shape: tuple[int, ...] | None = None
        self._begin()

    def _begin(self) -> None:
        self._detector = ContentDetector(threshold=self._threshold, min_scene_len=0)

    def differs(self, time_s: float, content: Picture) -> bool:
        """False for the first picture; a change of size is a difference."""
        resized = self._shape is not None and content.shape != self._shape
        if resized:
            self._begin()
        self._shape = content.shape
        return bool(self._detector.process_frame(FrameTimecode(time_s, _CLOCK_FPS), content)) or resized


def find_cuts(frames: Iterable[Frame], threshold: float) -> Iterator[tuple[Frame, bool]]:
    """Yield every frame in order, with whether a new scene begins with it.

    threshold: of the detector, mean change of hue, saturation and value, 0..255.
    A frame that differs from its predecessor begins a scene, with two exceptions. When the old
    scene is back within 0.25 s, it was a flash, and nothing is cut. When frames go on changing
    for less than that (a fast fade), they are one short scene of their own and the new one
    begins with the last change. A MediaError of `frames` is passed on after the last good frame.
    """
    detector = _Detector(threshold)
    settled: Picture | None = None  # the last picture of the scene that surely goes on
    pending: list[_Seen] = []  # from a change on, until it is clear what it was
    try:
        for frame in frames:
            content = np.asarray(cv2.cvtColor(frame.picture(_SIDE_PX), cv2.COLOR_RGB2BGR), np.uint8)
            differs = detector.differs(frame.time_s, content)
            if pending and frame.time_s - pending[0].frame.time_s > _FLASH_S:
                yield from _cut(pending, goes_on=differs)
                settled, pending = pending[-1].content, []
            if not pending and not differs:
                yield frame, False
                settled = content
                continue
            pending.append(_Seen(frame, content, differs))
            if differs and len(pending) > 1 and settled is not None and _same(settled, content, threshold):
                yield from ((seen.frame, False) for seen in pending)
                settled, pending = content, []
    except MediaError:
        yield from _cut(pending, goes_on=False)
        raise
    yield from _cut(pending, goes_on=False)


def _same(before: Picture, after: Picture, threshold: float) -> bool:
    detector = _Detector(threshold)
    detector.differs(0.0, before)
    return not detector.differs(1.0, after)


def _cut(pending: list[_Seen], goes_on: bool) -> Iterator[tuple[Frame, bool]]:
    """The frames since a change, cut at the first and, unless changes go on, at the last one."""
    changes = [i for i, seen in enumerate(pending) if seen.differs]
    cuts = set(changes[:1]) if goes_on else {*changes[:1], *changes[-1:]}
    for i, seen in enumerate(pending):
        yield seen.frame, i in cuts
