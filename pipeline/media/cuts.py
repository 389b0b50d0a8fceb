"""Finds scene cuts while frames pass by: PySceneDetect says what differs, `transitions` what that means."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scenedetect import AdaptiveDetector, ContentDetector, FrameTimecode

from pipeline.config import SceneSettings
from pipeline.errors import MediaError
from pipeline.media.cells import tiny
from pipeline.media.transitions import Transitions
from pipeline.media.videos import Frame
from pipeline.models.protocols import Picture

_SIDE_PX = 256  # what PySceneDetect scales to by itself
_CLOCK_FPS = 1000.0  # of the detector's timecodes, which nothing here depends on
_ADAPTIVE_FRAMES = 2  # on each side, of the average that a change is compared with
_HELD_BYTES = 256 << 20  # of frames that wait for a decision
_BYTES_A_PIXEL = 1.5


@dataclass(frozen=True)
class Seen:
    """A frame, the same as `tiny` gives it, and whether a new scene begins with it."""

    frame: Frame
    picture: Picture
    begins: bool


class _PySceneDetect:
    """Its own filter for short scenes stays off: it drops cuts, so that a scene would begin with
    frames of another."""

    def __init__(self, settings: SceneSettings) -> None:
        self._settings = settings
        self._shape: tuple[int, ...] | None = None
        self._begin()

    def _begin(self) -> None:
        self._late = 0
        if self._settings.detector == "adaptive":
            self._late = _ADAPTIVE_FRAMES
            self._detector = AdaptiveDetector(
                adaptive_threshold=self._settings.adaptive_ratio, min_scene_len=0, window_width=_ADAPTIVE_FRAMES
            )
        else:
            self._detector = ContentDetector(threshold=self._settings.cut_threshold, min_scene_len=0)

    def change(self, time_s: float, content: Picture) -> int | None:
        """How many frames ago one came that differs from the frame before it; None for none.

        A change of size is a difference.
        """
        resized = self._shape is not None and content.shape != self._shape
        if resized:
            self._begin()
        self._shape = content.shape
        found = self._detector.process_frame(FrameTimecode(time_s, _CLOCK_FPS), content)
        return 0 if resized else self._late if found else None


def find_cuts(frames: Iterable[Frame], settings: SceneSettings) -> Iterator[Seen]:
    """Yield every frame in order, with whether a new scene begins with it.

    Frames wait until it is sure; that is about half a second where something changes, at most the
    1.3 s that a dissolve needs, and never more than 256 MiB of frames: then a transition that is
    found later begins with the first frame that still waits. A MediaError of `frames` is passed on
    after the last good frame.
    """
    detector = _PySceneDetect(settings)
    transitions = Transitions()
    waiting: deque[tuple[Frame, Picture]] = deque()
    cuts: set[float] = set()
    failure: MediaError | None = None
    held, source = 0.0, iter(frames)
    while True:
        try:
            frame = next(source, None)
        except MediaError as error:
            frame, failure = None, error
        if frame is None:
            break
        content = frame.rough(_SIDE_PX)
        small = tiny(content)
        transitions.push(frame.time_s, small)
        change = detector.change(frame.time_s, content)
        if change is not None:
            transitions.differs(change)
        waiting.append((frame, small))
        held += _bytes(frame)
        cuts.update(transitions.take())
        settled_s = transitions.settled_s
        while waiting and (waiting[0][0].time_s < settled_s or held > _HELD_BYTES):
            seen = _released(waiting, cuts)
            held -= _bytes(seen.frame)
            yield seen
    transitions.finish()
    cuts.update(transitions.take())
    while waiting:
        yield _released(waiting, cuts)
    if failure is not None:
        raise failure


def _bytes(frame: Frame) -> float:
    return frame.raw.width * frame.raw.height * _BYTES_A_PIXEL


def _released(waiting: deque[tuple[Frame, Picture]], cuts: set[float]) -> Seen:
    frame, small = waiting.popleft()
    reached = {cut for cut in cuts if cut <= frame.time_s}
    cuts -= reached
    return Seen(frame, small, bool(reached))
