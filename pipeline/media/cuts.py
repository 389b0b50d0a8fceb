"""Finds scene cuts while frames pass by: by PySceneDetect and what `transitions` makes of it, or by a network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from scenedetect import AdaptiveDetector, ContentDetector, FrameTimecode

from pipeline.config import SceneSettings
from pipeline.errors import MediaError
from pipeline.media.cells import is_plain, tiny
from pipeline.media.shots import HEIGHT_PX, WIDTH_PX, Shots
from pipeline.media.transitions import Transitions
from pipeline.media.videos import Frame
from pipeline.models.protocols import Picture

_SIDE_PX = 256  # what PySceneDetect scales to by itself
_CLOCK_FPS = 1000.0  # of the detector's timecodes, which nothing here depends on
_ADAPTIVE_FRAMES = 2  # on each side, of the average that a change is compared with
_HELD_BYTES = 256 << 20  # of frames that wait for a decision
_NETWORK_PACE = 10.0  # seconds a second of video: 0.6 of 30 frames on a core of its own, more beside other work


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


class _Decider(Protocol):
    """Says with which frames scenes begin, and how far back one still may."""

    def finish(self) -> None: ...
    def take(self) -> list[float]: ...
    @property
    def settled_s(self) -> float: ...


_See = Callable[[Frame, Picture, Picture], None]  # a frame, as PySceneDetect takes it, as `tiny` gives it


def _by_rules(settings: SceneSettings) -> tuple[_Decider, _See]:
    detector, transitions = _PySceneDetect(settings), Transitions()

    def see(frame: Frame, content: Picture, small: Picture) -> None:
        transitions.push(frame.time_s, small)
        change = detector.change(frame.time_s, content)
        if change is not None:
            transitions.differs(change)

    return transitions, see


def _by_network(settings: SceneSettings) -> tuple[_Decider, _See]:
    from pipeline.media.transnetv2 import load_for  # torch takes seconds, and most runs never need it here

    shots = Shots(load_for(settings).probabilities, settings.cut_probability)

    def see(frame: Frame, _: Picture, small: Picture) -> None:
        shots.push(frame.time_s, frame.squeezed(WIDTH_PX, HEIGHT_PX), is_plain(small))

    return shots, see


def find_cuts(frames: Iterable[Frame], settings: SceneSettings, max_side_px: int) -> Iterator[Seen]:
    """Yield every frame in order, with whether a new scene begins with it.

    Frames wait until it is sure. By rules that is about half a second where something changes, at most
    the 1.3 s that a dissolve needs, and never more than 256 MiB of frames: then a transition that is
    found later begins with the first frame that still waits. A network answers up to 74 frames later,
    and frames beyond 256 MiB wait in the pixels of `picture(max_side_px)`, which are all that is left of
    them. A MediaError of `frames` is passed on after the last good frame.
    """
    network = settings.detector == "transnetv2"
    decider, see = _by_network(settings) if network else _by_rules(settings)
    waiting: deque[tuple[Frame, Picture]] = deque()
    cuts: set[float] = set()
    failure: MediaError | None = None
    held, source = 0, iter(frames)
    while True:
        try:
            frame = next(source, None)
        except MediaError as error:
            frame, failure = None, error
        if frame is None:
            break
        content = frame.rough(_SIDE_PX)
        small = tiny(content)
        see(frame, content, small)
        if network and held + frame.held_bytes > _HELD_BYTES:
            frame = frame.reduced(max_side_px)
        waiting.append((frame, small))
        held += frame.held_bytes
        cuts.update(decider.take())
        settled_s = decider.settled_s
        while waiting and (waiting[0][0].time_s < settled_s or (held > _HELD_BYTES and not network)):
            seen = _released(waiting, cuts)
            held -= seen.frame.held_bytes
            yield seen
    decider.finish()
    cuts.update(decider.take())
    while waiting:
        yield _released(waiting, cuts)
    if failure is not None:
        raise failure


def detection_limit_s(settings: SceneSettings, duration_s: float | None) -> float:
    """Wall time that finding the cuts of a file may take beside `decode_limit_s`."""
    return _NETWORK_PACE * (duration_s or 0.0) if settings.detector == "transnetv2" else 0.0


def _released(waiting: deque[tuple[Frame, Picture]], cuts: set[float]) -> Seen:
    frame, small = waiting.popleft()
    reached = {cut for cut in cuts if cut <= frame.time_s}
    cuts -= reached
    return Seen(frame, small, bool(reached))
