"""Finds dissolves: stretches in which every picture is a mixture of the first and the last.

That is how dissolves are made, X = (1 - a) A + a B with a rising from 0 to 1, and neither a camera that
moves nor things that do look like it. Brightness is left out of the comparison, so that a scene that
only gets lighter or darker does not pass for a mixture of two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.media.cells import Look, correlation, difference

_UNRELATED = 0.55  # below it, pictures at both ends of a mixture show two scenes and not movement in one
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
_ACTIVE = 2.0  # mean change over _SHORTEST steps that may be part of a dissolve, 0..255


@dataclass(frozen=True)
class Candidate:
    """A stretch that is a mixture so far; it may yet get clearer."""

    difference: float
    start: Look
    end: Look


class Dissolves:
    """Looks at a frame every 1/12 s, and at every pair of them less than 2.2 s apart."""

    def __init__(self) -> None:
        self.candidate: Candidate | None = None
        self._active_s = -math.inf  # when something last changed
        self._steps: list[Look] = []
        self._products = np.zeros((0, 0))  # of the steps' cells without their mean: all that the test needs

    def push(self, seen: Look, blocked: bool) -> None:
        """Take the next frame. blocked: something else is going on, of which no dissolve may be part."""
        if self._steps and seen.time_s - self._steps[-1].time_s < _STEP_S:
            return
        self.forget_before(seen.time_s - _LONGEST_S)
        self._steps.append(seen)
        if len(self._steps) > _SHORTEST and difference(seen.picture, self._steps[-1 - _SHORTEST].picture) >= _ACTIVE:
            self._active_s = seen.time_s
        stacked = np.stack([s.cells for s in self._steps])
        row = stacked @ seen.cells - stacked.sum(axis=1) * seen.cells.sum() / len(seen.cells)
        grown = np.empty((len(row), len(row)))
        grown[:-1, :-1] = self._products
        grown[-1, :] = grown[:, -1] = row
        self._products = grown
        if not (blocked or seen.plain):
            self._look_back(seen)

    def forget_before(self, time_s: float) -> None:
        """No dissolve begins earlier."""
        old = sum(s.time_s < time_s for s in self._steps)
        self._steps, self._products = self._steps[old:], self._products[old:, old:]

    def active_since(self, time_s: float) -> bool:
        """Whether anything changed that may turn out to be part of a dissolve."""
        return self._active_s >= time_s

    def _look_back(self, end: Look) -> None:
        k = len(self._steps) - 1
        for j in range(k - _SHORTEST, -1, -1):
            start = self._steps[j]
            if start.plain:
                return
            apart = difference(end.picture, start.picture)
            least = _DISSOLVES if self.candidate is None else self.candidate.difference * _CLEARER
            if apart >= least and self._mixes(j, k) and correlation(start.cells, end.cells) < _UNRELATED:
                self.candidate = Candidate(apart, start, end)

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

    def settled(self, now_s: float) -> bool:
        """Whether there is a candidate, and it has got no clearer for a while."""
        return self.candidate is not None and now_s - self.candidate.end.time_s >= _SETTLED_S

    def close(self, seen: Iterable[Look]) -> tuple[float, float] | None:
        """Judge the candidate by every frame: when the second scene prevails and when it stands alone, in seconds.

        None where it was movement after all.
        """
        found, self.candidate = self.candidate, None
        if found is None:
            return None
        between = [s for s in seen if found.start.time_s <= s.time_s <= found.end.time_s]
        share, residue = mixture(np.stack([s.cells for s in between]))
        if residue.max() > _RESIDUE_EACH or np.diff(share).max() > _STEEPEST:
            return None
        return between[int(np.argmax(share >= 0.5))].time_s, found.end.time_s


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
