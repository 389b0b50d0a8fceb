"""What a source names twice, as lists with several captions a picture do, is one medium."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pipeline.seed_pool.sources.rows import Found

DUPLICATE = "duplicate"
_BATCH_ROWS = 8192
_KEY_BYTES = 8
Keys = NDArray[np.uint64]


def once(found: Iterable[Found]) -> Iterator[Found]:
    """`found` in its order, each URI once: the first row stands for the medium, with what it says of it.

    A later one becomes a reject `duplicate` (or keeps its own) under the name of its row, `Found.row`, or the URI
    and its number where it has none. Memory: 8 bytes a row; two URIs of 10 million are taken for one with a
    probability of 3e-6.
    """
    stream, seen, number = iter(found), _Seen(), 0
    while batch := list(islice(stream, _BATCH_ROWS)):
        for one, new in zip(batch, seen.new([f.uri for f in batch]), strict=True):
            yield one if new else _repeated(one, number)
            number += 1


def _repeated(one: Found, number: int) -> Found:
    what = (DUPLICATE, f"{one.row or 'it'} names {one.uri} again; the row that did so first stands for it")
    return Found(one.row or f"{one.uri}#{number}", one.verdict or what)


class _Seen:
    """Digests that came by, in sorted arrays of growing length: adding n of them costs n log n in all."""

    def __init__(self) -> None:
        self._levels: list[Keys] = []

    def new(self, uris: list[str]) -> list[bool]:
        """Whether each URI stands neither before these nor earlier among them; remembers them."""
        digests = (
            hashlib.blake2b(u.encode("utf-8", "backslashreplace"), digest_size=_KEY_BYTES).digest() for u in uris
        )
        keys = np.frombuffer(b"".join(digests), np.uint64)
        fresh = np.zeros(len(keys), bool)
        fresh[np.unique(keys, return_index=True)[1]] = True
        for level in self._levels:
            at = np.searchsorted(level, keys)
            fresh &= level[np.minimum(at, len(level) - 1)] != keys
        self._add(keys[fresh])
        return list(fresh.tolist())

    def _add(self, keys: Keys) -> None:
        if len(keys):
            while self._levels and len(self._levels[-1]) < 2 * len(keys):
                keys = np.concatenate([self._levels.pop(), keys])
            self._levels.append(np.sort(keys, kind="stable"))
