"""Lists of unequal length, one a row, as two arrays; and sets of (row, value) pairs as sorted keys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Ragged:
    """Row i holds `values[offsets[i]:offsets[i + 1]]` (the layout called CSR).

    offsets: int64 [R + 1], from 0, never falling. values: int64 [offsets[-1]].
    """

    offsets: Ints
    values: Ints

    @classmethod
    def from_pairs(cls, rows: Ints, values: Ints, n_rows: int) -> Ragged:
        """Gather pairs (any order) by row; values of a row rise."""
        order = np.lexsort((values, rows))
        offsets = np.zeros(n_rows + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=n_rows), out=offsets[1:])
        return cls(offsets, values[order].astype(np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Ints:
        """Number of values of each row, int64 [R]."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Ints:
        """The row of each value, int64 [V]."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    def take(self, rows: Ints) -> Ragged:
        """The lists of `rows`, in that order."""
        lengths = self.lengths[rows]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        return Ragged(offsets, self.values[spread(self.offsets[rows], lengths)])

    def plus(self, other: Ragged) -> Ragged:
        """The values of both; values of a row rise."""
        rows = np.concatenate([self.rows, other.rows])
        return Ragged.from_pairs(rows, np.concatenate([self.values, other.values]), len(self))

    def holds(self, rows: Ints, values: Ints) -> Bools:
        """Whether the list of each row holds the value beside it. rows, values: int64 [P], values >= 0."""
        base = 1 + max((int(v.max()) for v in (self.values, values) if len(v)), default=0)
        return find(np.sort(self.rows * base + self.values), rows * base + values) >= 0

    def keep(self, mask: Bools) -> Ragged:
        """Drop the values whose `mask` (bool [V]) is false; rows stay, some perhaps empty."""
        return Ragged.from_pairs(self.rows[mask], self.values[mask], len(self))


def spread(starts: Ints, lengths: Ints) -> Ints:
    """Concatenate the ranges start..start + length: starts [3, 7], lengths [2, 1] give [3, 4, 7]."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0, dtype=np.int64) + np.repeat(starts - ends + lengths, lengths)


def find(sorted_keys: Ints, keys: Ints) -> Ints:
    """Index of each key in the rising array `sorted_keys`; -1 where it is not there."""
    if len(sorted_keys) == 0:
        return np.full(keys.shape, -1, np.int64)
    at = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return np.where(sorted_keys[at] == keys, at, -1)
