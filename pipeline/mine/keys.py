"""Random numbers that belong to an id and a seed: the same in any order of rows, block, process or machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.mine.ragged import Ints

Keys = NDArray[np.uint64]
AT_ONCE = 65_536  # ids whose bytes are looked at together: bounds memory
_BASE = np.uint64(0x9E37_79B9_7F4A_7C15)  # odd, so that powers of it are a permutation modulo 2^64
_SALT = {"query": np.uint64(0x5851_F42D_4C95_7F2D), "document": np.uint64(0x1405_7B7E_F767_814F)}


@dataclass(frozen=True)
class Marks:
    """What picking knows of the queries [Q] and documents [N] of a task."""

    query: Keys  # [Q]
    document: Keys  # [N]
    group: Ints  # [N], near-duplicate group; equal contents share one

    @classmethod
    def of(cls, query_ids: pa.Array, doc_ids: pa.Array, group: Ints, seed: int) -> Marks:
        """Keys of the ids under `seed`."""
        salt = mixed(np.array([seed % 2**64], np.uint64))[0]
        return cls(keys_of(query_ids, salt ^ _SALT["query"]), keys_of(doc_ids, salt ^ _SALT["document"]), group)


def keys_of(ids: pa.Array, salt: np.uint64) -> Keys:
    """A number a string, uint64 [N]: a polynomial of its UTF-8 bytes modulo 2^64, mixed with `salt`.

    ids: string or large_string without nulls. Good for drawing, not against somebody who forges ids.
    """
    blocks = [_polynomials(ids.slice(start, AT_ONCE)) for start in range(0, len(ids), AT_ONCE)]
    return mixed(np.concatenate([np.zeros(0, np.uint64), *blocks]) ^ salt)


def _polynomials(ids: pa.Array) -> Keys:
    strings = ids.cast(pa.large_string())
    _, offset_buffer, data = strings.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64)[strings.offset : strings.offset + len(strings) + 1]
    text = np.frombuffer(data or b"", np.uint8)[offsets[0] : offsets[-1]]
    starts, lengths = offsets[:-1] - offsets[0], np.diff(offsets)
    powers = np.cumprod(np.full(max(1, int(lengths.max())), _BASE))
    terms = (text.astype(np.uint64) + np.uint64(1)) * powers[np.arange(len(text)) - np.repeat(starts, lengths)]
    # Sums of a string are differences of running sums; uint64 wraps, as the modulus wants.
    running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms)])
    return np.asarray(running[starts + lengths] - running[starts])


def mixed(numbers: Keys) -> Keys:
    """Spread every bit over all others: the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = numbers.copy()
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58_476D_1CE4_E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D0_49BB_1331_11EB)
    return np.asarray(x ^ (x >> np.uint64(31)), np.uint64)


def draws(keys: Keys, count: int) -> Keys:
    """`count` numbers a key, uint64 [N, count]: the n-th does not depend on how many are asked."""
    steps = np.arange(1, count + 1, dtype=np.uint64) * _BASE
    return mixed(keys[:, None] + steps)
