"""Which assets might be copies of each other: nearest neighbours by look and by perceptual hash.

A pool step: it sees hashes and vectors of frames, never pixels. Memory is the vectors (one byte a
dimension, a little more where every pair is measured) and `candidates` neighbours a frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.config import DuplicateSettings
from pipeline.media.looks import unpacked
from pipeline.models.protocols import Vectors

READS = ("asset_id", "uri", "media", "start_s", "end_s", "fingerprints", "times_s", "looks", "mirrored_looks")
QUERIES_A_BLOCK = 4096
PROBES = 32  # lists of the inverted index that are searched
SAME_SHOT_BITS = 2  # hashes of consecutive frames that differ in no more show the same again
EVERY = 4  # but of a long shot every fourth frame is looked at nevertheless
OWN = 4  # neighbours asked for beyond `candidates`: some are the asset's own frames

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Frames:
    """Frames of many assets. owner: int64 [F], the row of each. codes: uint8 [F, 8], perceptual hashes.
    looks: int8 [F, dim]; mirrored: the same of the mirrored frames, or [0, dim]."""

    owner: Ints
    codes: NDArray[np.uint8]
    looks: NDArray[np.int8]
    mirrored: NDArray[np.int8]


@dataclass(frozen=True)
class Shots:
    """One asset's frames: times_s float64 [n], codes uint8 [n, 8], looks int8 [n, dim], mirrored likewise."""

    times_s: NDArray[np.float64]
    codes: NDArray[np.uint8]
    looks: NDArray[np.int8]
    mirrored: NDArray[np.int8]


def shots_of(row: dict[str, Any]) -> Shots:
    """The frames of a row with the columns of READS."""
    count = len(row["fingerprints"])
    codes = np.array(row["fingerprints"], dtype="<u8").view(np.uint8).reshape(-1, 8)
    mirrored = unpacked(row["mirrored_looks"], count if row["mirrored_looks"] else 0)
    return Shots(np.array(row["times_s"]), codes, unpacked(row["looks"], count), mirrored)


def frames_of(pool: pa.Table) -> Frames:
    """The frames worth looking at, of all rows of a table with the columns of READS: where a shot
    stands still, not each of its frames, whose neighbours would be one another."""
    owner, codes, looks, mirrored = [], [], [], []
    for batch in pool.select(["fingerprints", "looks", "mirrored_looks"]).to_batches(max_chunksize=QUERIES_A_BLOCK):
        for row in batch.to_pylist():
            shots = shots_of({**row, "times_s": []})
            kept = _distinct(shots.codes)
            codes.append(shots.codes[kept])
            looks.append(shots.looks[kept])
            mirrored.append(shots.mirrored[kept] if len(shots.mirrored) else shots.mirrored)
            owner.append(len(kept))
    dim = max((x.shape[1] for x in looks), default=0)
    return Frames(
        np.repeat(np.arange(len(owner)), owner),
        np.concatenate([np.zeros((0, 8), np.uint8), *codes]),
        np.concatenate([np.zeros((0, dim), np.int8), *looks]),
        np.concatenate([np.zeros((0, dim), np.int8), *(m for m in mirrored if len(m))]),
    )


def _distinct(codes: NDArray[np.uint8]) -> Ints:
    changed = np.bitwise_count(codes[1:] ^ codes[:-1]).sum(axis=1) > SAME_SHOT_BITS
    return np.flatnonzero(np.concatenate([[True], changed | (np.arange(1, len(codes)) % EVERY == 0)])[: len(codes)])


def candidates(left: Frames, right: Frames | None, settings: DuplicateSettings) -> tuple[Ints, Ints]:
    """Pairs (row of `left`, row of `right`), each once, sorted: assets of which some frames are near.

    Without `right` the pairs lie inside `left`, the smaller row first. An asset has at most
    2 x `candidates` partners of its own choice, those with most frames near it.
    """
    inside = right is None
    base = left if right is None else right
    if not len(left.owner) or not len(base.owner):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    count = min(settings.candidates + (OWN if inside else 0), len(base.owner))
    blocks = []
    for frames, neighbours in _neighbours(left, base, count, settings):
        pairs = np.stack([left.owner[frames], base.owner[neighbours]])
        if inside:
            pairs = pairs[:, pairs[0] != pairs[1]]
        blocks.append(_best(pairs, 2 * settings.candidates))
    pairs = np.concatenate(blocks, axis=1)
    pairs = np.unique(np.sort(pairs, axis=0) if inside else pairs, axis=1)
    return pairs[0], pairs[1]


def _best(pairs: Ints, most: int) -> Ints:
    """Of pairs [2, n], one a near frame, the partners of each row with most frames, `most` of them at most."""
    pairs, votes = np.unique(pairs, axis=1, return_counts=True)
    order = np.lexsort([pairs[1], -votes, pairs[0]])
    pairs = pairs[:, order]
    _, first, sizes = np.unique(pairs[0], return_index=True, return_counts=True)
    rank = np.arange(pairs.shape[1]) - np.repeat(first, sizes)
    return np.ascontiguousarray(pairs[:, rank < most])


def _neighbours(left: Frames, base: Frames, count: int, settings: DuplicateSettings) -> Iterator[tuple[Ints, Ints]]:
    """(frame of left, near frame of base), int64 [n] each, for a block of frames at a time."""
    hashes = faiss.IndexBinaryFlat(64)
    hashes.add(base.codes)
    index = _index(base.looks, settings.exact_up_to)
    for start in range(0, len(left.owner), QUERIES_A_BLOCK):
        block = slice(start, start + QUERIES_A_BLOCK)
        bits, near = hashes.search(left.codes[block], count)
        found = [_within(near, bits <= settings.max_hamming_bits)]
        for looks in (left.looks[block], left.mirrored[block]):
            if len(looks) and looks.shape[1]:
                cosines, near = index.search(_unit(looks), count)
                found.append(_within(near, cosines >= settings.min_cosine))
        yield start + np.concatenate([query for query, _ in found]), np.concatenate([near for _, near in found])


def _within(near: Ints, close: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    query, rank = np.nonzero(close & (near >= 0))
    return query, near[query, rank]


def _index(looks: NDArray[np.int8], exact_up_to: int) -> Any:
    """A faiss index of cosines: every pair, or an inverted index of 8-bit vectors for many."""
    n, dim = looks.shape
    if n <= exact_up_to:
        index: Any = faiss.IndexFlatIP(max(dim, 1))
    else:
        lists = int(4 * math.sqrt(n))
        index = faiss.index_factory(dim, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
        index.nprobe = PROBES
        index.train(_unit(looks[:: max(1, n // (64 * lists))]))
    if dim:
        for start, end in pairwise([*range(0, n, QUERIES_A_BLOCK), n]):
            index.add(_unit(looks[start:end]))
    return index


def _unit(looks: NDArray[np.int8]) -> Vectors:
    vectors = looks.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


@dataclass(frozen=True)
class Alignment:
    """Which frames of two assets show the same moment. offset_s: the second's time minus the first's.
    overlap: share of the shorter asset that has a counterpart, 0..1."""

    first: tuple[int, ...]
    second: tuple[int, ...]
    offset_s: float
    overlap: float


Span = tuple[float, float]  # start and end, s


def align(first: Shots, second: Shots, spans: tuple[Span, Span], max_frames: int) -> Alignment:
    """Lay two sequences of frames over each other, in order, where they look most alike.

    spans: where each lies in its file. Each pair of best-looking frames suggests an offset; the one
    whose frames are most alike in sum wins. At most `max_frames` pairs are named, evenly spread.
    """
    alike = _alike(first, second)
    best_sum, best = -1.0, (0.0, np.zeros(0, np.int64), np.zeros(0, np.int64))
    for i, j in enumerate(alike.argmax(axis=1)):
        offset = float(second.times_s[j] - first.times_s[i])
        a, b = _paired(first.times_s + offset, second.times_s)
        total = float(alike[a, b].sum())
        if total > best_sum + 1e-9:
            best_sum, best = total, (offset, a, b)
    offset, a, b = best
    (start, end), (other_start, other_end) = spans
    shared = min(end + offset, other_end) - max(start + offset, other_start)
    shorter = min(end - start, other_end - other_start)
    overlap = min(1.0, max(0.0, shared / shorter)) if shorter > 0 else 1.0
    chosen = np.unique(np.linspace(0, len(a) - 1, min(max_frames, len(a))).round().astype(int))
    return Alignment(tuple(a[chosen].tolist()), tuple(b[chosen].tolist()), offset, overlap)


def _alike(first: Shots, second: Shots) -> Vectors:
    """How alike each pair of frames is, float32 [n, m]: cosine of looks, or nearness of hashes."""
    bits = np.bitwise_count(first.codes[:, None] ^ second.codes[None]).sum(axis=2)
    alike = 1 - bits.astype(np.float32) / 16
    if first.looks.shape[1] and first.looks.shape[1] == second.looks.shape[1]:
        looks = _unit(second.looks).T
        alike = np.maximum(alike, _unit(first.looks) @ looks)
        if len(first.mirrored):
            alike = np.maximum(alike, _unit(first.mirrored) @ looks)
    return np.asarray(np.maximum(alike, 0), np.float32)


def _paired(times_s: NDArray[np.float64], others_s: NDArray[np.float64]) -> tuple[Ints, Ints]:
    """Frames of two rising sequences that show the same moment to within half a sampling step."""
    steps = [np.median(np.diff(t)) for t in (times_s, others_s) if len(t) > 1]
    tolerance = max(steps, default=0.0) / 2 + 1e-3
    nearest = np.abs(times_s[:, None] - others_s[None]).argmin(axis=1)
    first = np.flatnonzero(np.abs(times_s - others_s[nearest]) <= tolerance)
    return first, nearest[first]
