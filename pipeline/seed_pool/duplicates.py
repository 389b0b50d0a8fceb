"""Copies in the pool: same bytes, or perceptual hashes that nearly agree.

A pool step: it sees narrow columns of all assets, never pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.config import DuplicateSettings
from pipeline.stage import rejects

NAME = "duplicates"
READS = ("uri", "media", "sha256", "start_s", "end_s", "width_px", "height_px", "fingerprints")


@dataclass(frozen=True)
class _Frames:
    """All perceptual hashes of a pool: `codes` uint8 [F, 8], `owner` int64 [F] the row of each."""

    codes: NDArray[np.uint8]
    owner: NDArray[np.int64]
    count: NDArray[np.int64]  # [N] frames of each row


def find_duplicates(pool: pa.Table, settings: DuplicateSettings) -> pa.Array:
    """Return the `reject` column for the live assets in `pool`, one verdict a row.

    pool: the columns of READS. A file whose bytes stood earlier (by URI) is rejected with all
    its segments as `duplicate`. What is left forms near-duplicate clusters; of each the
    largest picture stays (then the earliest URI and start) and the others are rejected as
    `near_duplicate`. Two assets are near when at least half of the frames of each have a
    frame of the other within `max_hamming_bits` of 64. An image is no copy of a video.
    """
    rows = pool.select(list(READS)).to_pylist()
    verdicts: list[tuple[str, str] | None] = [None] * len(rows)
    first: dict[str, str] = {}
    for row in sorted(rows, key=lambda r: r["uri"]):
        first.setdefault(row["sha256"], row["uri"])
    for i, row in enumerate(rows):
        if first[row["sha256"]] != row["uri"]:
            verdicts[i] = ("duplicate", f"same bytes as {first[row['sha256']]}")
    unique = np.array([i for i, v in enumerate(verdicts) if v is None], dtype=np.int64)
    for media in ("image", "video"):
        alike = np.array([i for i in unique if rows[i]["media"] == media], dtype=np.int64)
        for cluster in _clusters(_frames([rows[i]["fingerprints"] for i in alike]), settings.max_hamming_bits):
            members = [int(alike[i]) for i in cluster]
            kept, *copies = sorted(members, key=lambda i: _preference(rows[i]))
            for copy in copies:
                verdicts[copy] = ("near_duplicate", f"looks like {_place(rows[kept])}")
    return rejects(NAME, verdicts)


def _preference(row: dict[str, object]) -> tuple[int, str, float]:
    return (-int(row["width_px"]) * int(row["height_px"]), str(row["uri"]), float(row["start_s"] or 0.0))  # type: ignore[call-overload, arg-type]


def _place(row: dict[str, object]) -> str:
    return str(row["uri"]) if row["start_s"] is None else f"{row['uri']} at {row['start_s']:.2f}..{row['end_s']:.2f} s"


def _frames(hashes: list[list[int]]) -> _Frames:
    count = np.array([len(h) for h in hashes], dtype=np.int64)
    flat = np.array([code for h in hashes for code in h], dtype="<u8")
    return _Frames(flat.view(np.uint8).reshape(-1, 8), np.repeat(np.arange(len(hashes)), count), count)


def _clusters(frames: _Frames, max_bits: int) -> list[list[int]]:
    """Connected components of two or more rows under the near relation, each sorted."""
    if len(frames.codes) == 0:
        return []
    index = faiss.IndexBinaryFlat(64)
    index.add(frames.codes)
    # faiss keeps distances strictly below the radius.
    limits, _, hits = index.range_search(frames.codes, max_bits + 1)
    source = np.repeat(np.arange(len(frames.codes)), np.diff(limits.astype(np.int64)))
    # One entry for each frame and the row it has a neighbour in, however many neighbours there.
    matched = np.unique(np.stack([source, frames.owner[hits]]), axis=1)
    n = len(frames.count)
    pairs, frames_matched = np.unique(frames.owner[matched[0]] * n + matched[1], return_counts=True)
    row, other = pairs // n, pairs % n
    half = frames_matched * 2 >= frames.count[row]
    graph = coo_array((half & (row != other), (row, other)), shape=(n, n)).tocsr()
    mutual = graph.multiply(graph.T)
    _, component = connected_components(mutual, directed=False)
    order = np.argsort(component, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(component[order])) + 1)
    return [g.tolist() for g in groups if len(g) > 1]
