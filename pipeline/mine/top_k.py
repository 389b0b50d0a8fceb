"""The K best documents of each query: their order, their ties, and how parts are merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.mine.ragged import Ints
from pipeline.models.protocols import Vectors

Scores = NDArray[np.float32]
Keys = NDArray[np.uint64]
ABSENT = np.uint64(0xFFFF_FFFF_FFFF_FFFF)  # sorts after every hit


@dataclass(frozen=True)
class TopK:
    """scores: float32 [Q, K], falling; -inf where there is no K-th document.
    positions: int64 [Q, K], of documents in the corpus; -1 where there is none. Equal scores
    stand in rising position."""

    scores: Scores
    positions: Ints

    @classmethod
    def none(cls, queries: int, k: int) -> TopK:
        """Of queries that have found nothing."""
        return cls(np.full((queries, k), -np.inf, np.float32), np.full((queries, k), -1, np.int64))

    @classmethod
    def of_keys(cls, keys: Keys) -> TopK:
        """keys: uint64 [Q, K], rising along each row."""
        falling = (keys >> np.uint64(32)).astype(np.uint32)
        bits = np.where(falling >> 31, falling, ~falling & np.uint32(0x7FFF_FFFF))
        absent = keys == ABSENT
        scores = np.where(absent, np.float32(-np.inf), np.ascontiguousarray(bits).view(np.float32))
        return cls(scores, np.where(absent, -1, (keys & np.uint64(0xFFFF_FFFF)).astype(np.int64)))

    @property
    def keys(self) -> Keys:
        """One integer a hit that sorts like (score falling, position rising): numpy sorts such rows
        about ten times faster than two keys. Positions stay below 2**32."""
        return np.where(self.positions >= 0, keys_of(self.scores, self.positions), ABSENT)


def keys_of(scores: Scores, positions: Ints) -> Keys:
    """`TopK.keys` of documents that are there."""
    bits = np.ascontiguousarray(scores).view(np.uint32)
    falling = np.where(bits >> 31, bits, ~bits & np.uint32(0x7FFF_FFFF))
    return falling.astype(np.uint64) << np.uint64(32) | positions.astype(np.uint64)


def merge_top_k(parts: Sequence[TopK], k: int) -> TopK:
    """The top-K of several slices of one corpus, searched by the same queries.

    parts: at least one, each with its own K. The order of the parts does not matter.
    """
    return TopK.of_keys(smallest(np.concatenate([p.keys for p in parts], axis=1), k))


def smallest(keys: Keys, k: int) -> Keys:
    """The K smallest keys of each row, rising; ABSENT where there are fewer."""
    best = np.sort(keys, axis=1)[:, :k]
    return np.pad(best, ((0, 0), (0, k - best.shape[1])), constant_values=ABSENT)


def pair_scores(queries: Vectors, corpus: Vectors, query: Ints, document: Ints) -> Scores:
    """Inner products of given pairs, float32 [P], by a kernel that sees nothing but the two vectors.

    queries, corpus: [., dim], whose values in float32 count. query, document: int64 [P], rows of each.
    """
    queries, query = _whole(queries, query)
    corpus, document = _whole(corpus, document)
    scores = np.empty(len(query), np.float32)
    if len(query):
        faiss.pairwise_indexed_inner_product(  # type: ignore[attr-defined]  # its stubs lack it
            queries.shape[1],
            len(query),
            faiss.swig_ptr(queries),
            faiss.swig_ptr(query),
            faiss.swig_ptr(corpus),
            faiss.swig_ptr(document),
            faiss.swig_ptr(scores),
        )
    return scores + np.float32(0)  # -0.0 becomes 0.0: they must tie


def _whole(vectors: Vectors, rows: Ints) -> tuple[Vectors, Ints]:
    """The same pairs, in memory as the kernel wants it; of half precision only the vectors asked for."""
    if vectors.dtype != np.float32 or not vectors.flags.c_contiguous:
        used, rows = np.unique(rows, return_inverse=True)
        vectors = vectors[used].astype(np.float32)
    return vectors, np.ascontiguousarray(rows, np.int64)
