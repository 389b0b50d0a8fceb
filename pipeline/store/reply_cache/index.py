"""Where each reply lies: 24 bytes of memory an entry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

Place = tuple[int, int, int]  # number of a segment, offset and length of a line in bytes
_PLACE = np.dtype([("segment", np.int32), ("length", np.int32), ("offset", np.int64)])
_AT_ONCE = 65_536  # entries in Python's own, larger form


@dataclass(frozen=True)
class _Run:
    """Entries by rising key."""

    keys: NDArray[np.uint64]
    places: NDArray[np.void]

    @staticmethod
    def of(keys: NDArray[np.uint64], places: NDArray[np.void]) -> _Run:
        order = np.argsort(keys, kind="stable")
        return _Run(keys[order], places[order])


class Index:
    """The places of the entries with a short key (64 bits of a long one: who reads a place checks the rest)."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def add(self, entries: Iterable[tuple[int, Place]]) -> None:
        """Take in (short key, place) pairs; a key may stand in several."""
        left = iter(entries)
        while found := list(islice(left, _AT_ONCE)):
            keys = np.array([key for key, _ in found], np.uint64)
            places = np.array([(segment, length, offset) for _, (segment, offset, length) in found], _PLACE)
            self._add(_Run.of(keys, places))

    def _add(self, run: _Run) -> None:
        # A run is more than twice as long as the next: so there are few, and each entry is moved seldom.
        while self._runs and 2 * len(run.keys) >= len(self._runs[-1].keys):
            before = self._runs.pop()
            keys = np.concatenate([before.keys, run.keys])
            run = _Run.of(keys, np.concatenate([before.places, run.places]))
        self._runs.append(run)

    def find(self, keys: Iterable[int]) -> list[Place]:
        """The places of all entries with one of `keys`, in no order."""
        wanted = np.array(sorted(set(keys)), np.uint64)
        found: list[Place] = []
        for run in self._runs:
            first, after = (np.searchsorted(run.keys, wanted, side) for side in ("left", "right"))
            for i in np.flatnonzero(after > first):
                found += [(int(s), int(o), int(n)) for s, n, o in run.places[first[i] : after[i]].tolist()]
        return found
