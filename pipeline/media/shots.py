"""Where shots end, by a network that looks at windows of 100 frames while they pass by.

The windows are those of TransNet V2's authors: each begins 50 frames behind the one before, and of
its 100 answers the middle 50 count. Before the first frame and behind the last one these are repeated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.media.transitions import PASSAGE_S
from pipeline.models.protocols import Picture

WIDTH_PX, HEIGHT_PX = 48, 27
WINDOW = 100
_STEP = 50
_CONTEXT = 25  # frames on each side of those that count

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # uint8 [100, 27, 48, 3] RGB -> [100], 0..1


class Windows:
    """Takes small pictures one by one and gives their probabilities in order, up to 74 pictures later."""

    def __init__(self, predict: Predict) -> None:
        self._predict = predict
        self._pictures: list[Picture] = []  # of the window that is being filled
        self._open = 0  # pictures without an answer

    def push(self, picture: Picture) -> list[float]:
        """Take the next picture, uint8 [27, 48, 3] RGB; the probabilities known by it."""
        self._pictures += [picture] * (1 if self._pictures else 1 + _CONTEXT)
        self._open += 1
        return self._answers() if len(self._pictures) == WINDOW else []

    def finish(self) -> list[float]:
        """No more pictures come: the probabilities that are left."""
        answers: list[float] = []
        while self._open:
            self._pictures += self._pictures[-1:] * (WINDOW - len(self._pictures))
            answers += self._answers()
        return answers

    def _answers(self) -> list[float]:
        found = self._predict(np.stack(self._pictures))[_CONTEXT : _CONTEXT + _STEP]
        answers = [float(probability) for probability in found[: self._open]]
        self._pictures = self._pictures[_STEP:]
        self._open -= len(answers)
        return answers


class Shots:
    """Takes frames one by one, says when a cut is sure, and how far back one may still come.

    A shot begins behind each run of frames that are more likely than `cut_probability` to be its last,
    as in the authors' code. What the network says of fades, flashes and pans stands. A plain picture
    that lasts is a segment of its own beside that: no content, and judged by itself.
    """

    def __init__(self, predict: Predict, cut_probability: float) -> None:
        self._windows, self._cut_probability = Windows(predict), cut_probability
        self._unanswered: deque[float] = deque()  # times of the frames that the network has not judged
        self._ends = False  # whether the shot does with the last frame that it has judged
        self._plain_since: float | None = None
        self._apart = False  # whether a cut lies there
        self._cuts: list[float] = []

    def push(self, time_s: float, picture: Picture, plain: bool) -> None:
        """Take the next frame: uint8 [27, 48, 3] RGB, and whether it is without content."""
        self._follow_plain(time_s, plain)
        self._unanswered.append(time_s)
        self._follow(self._windows.push(picture))

    def finish(self) -> None:
        """No more frames come."""
        self._follow(self._windows.finish())

    def take(self) -> list[float]:
        """The times of frames that begin a shot and became sure since the last call, in no order."""
        cuts, self._cuts = self._cuts, []
        return cuts

    @property
    def settled_s(self) -> float:
        """No cut will come before this time."""
        unanswered_s = self._unanswered[0] if self._unanswered else 0.0
        return unanswered_s if self._plain_since is None or self._apart else min(unanswered_s, self._plain_since)

    def _follow(self, probabilities: list[float]) -> None:
        for probability in probabilities:
            time_s, ended = self._unanswered.popleft(), self._ends
            self._ends = probability > self._cut_probability
            if ended and not self._ends:
                self._cuts.append(time_s)

    def _follow_plain(self, time_s: float, plain: bool) -> None:
        since_s = self._plain_since
        if since_s is not None and not self._apart and time_s - since_s >= PASSAGE_S:
            self._cuts.append(since_s)
            self._apart = True
        if plain:
            self._plain_since = time_s if since_s is None else since_s
            return
        if self._apart:
            self._cuts.append(time_s)
        self._plain_since, self._apart = None, False
