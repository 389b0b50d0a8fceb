"""Copies in the pool: same bytes, or pictures and segments of which most is the same.

A pool step: it sees narrow columns of all assets, never pixels; proposed pairs are compared by the
stage in `comparing.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.config import DuplicateSettings
from pipeline.seed_pool.candidates import READS as FRAMES
from pipeline.seed_pool.candidates import candidates, frames_of
from pipeline.seed_pool.comparing import pairs_table
from pipeline.stage import rejects

NAME = "duplicates"
READS = (*FRAMES, "sha256", "width_px", "height_px")
PAIRS_A_BLOCK = 100_000
ROUNDS = 8  # of comparing with the picture that stays; what still hangs on a chain then keeps only measured links

Compare = Callable[[pa.Table], pa.Table]  # PAIRS -> the same rows with comparing.ADDS, by a runner
Pair = tuple[int, int]


def find_duplicates(pool: pa.Table, settings: DuplicateSettings, compare: Compare) -> pa.Array:
    """Return the `reject` column for the live assets in `pool`, one verdict a row.

    pool: the columns of READS. A file whose bytes stood earlier (by URI) is rejected with all its
    segments as `duplicate`. What is left forms clusters of compared pairs; of each the largest
    picture stays (then the longest, the earliest URI and start), and those that are copies of that
    very one are rejected as `near_duplicate`. The rest of a cluster, which hung on it only by a
    chain, is looked at again by itself. An image is no copy of a video.
    """
    verdicts: list[tuple[str, str] | None] = _same_bytes(pool)
    unique = [i for i, v in enumerate(verdicts) if v is None]
    table = pool.take(pa.array(unique, pa.int64()))
    compared = _Compared(table, settings, compare)
    for media in ("image", "video"):
        for copy, kept, evidence in _copies(compared, compared.rows_of(media)):
            verdicts[unique[copy]] = ("near_duplicate", f"looks like {compared.places[kept]}: {evidence}")
    return rejects(NAME, verdicts)


def _same_bytes(pool: pa.Table) -> list[tuple[str, str] | None]:
    pairs = list(zip(pool.column("uri").to_pylist(), pool.column("sha256").to_pylist(), strict=True))
    first: dict[str, str] = {}
    for uri, sha256 in sorted(pairs):
        first.setdefault(sha256, uri)
    return [None if first[s] == uri else ("duplicate", f"same bytes as {first[s]}") for uri, s in pairs]


def place(row: dict[str, Any]) -> str:
    """Where an asset stands, for a reader."""
    return str(row["uri"]) if row["start_s"] is None else f"{row['uri']} at {row['start_s']:.2f}..{row['end_s']:.2f} s"


class _Compared:
    """Rows of the pool, and the evidence for each pair of copies that was found."""

    def __init__(self, table: pa.Table, settings: DuplicateSettings, compare: Compare) -> None:
        self.table, self.settings, self._compare = table.select(list(READS)), settings, compare
        self.evidence: dict[Pair, str] = {}
        narrow = table.select(["uri", "start_s", "end_s", "width_px", "height_px", "media"]).to_pylist()
        self._media = [row["media"] for row in narrow]
        self.places = [place(row) for row in narrow]
        self.preference = [_preference(row) for row in narrow]

    def rows_of(self, media: str) -> list[int]:
        return [i for i, m in enumerate(self._media) if m == media]

    def add(self, pairs: Iterable[Pair]) -> None:
        """Compare the pairs that are not known for copies."""
        new = sorted({(min(p), max(p)) for p in pairs} - self.evidence.keys())
        self.evidence |= copies_among(self.table, self.table, new, self.settings, self._compare)


def copies_among(
    first: pa.Table, second: pa.Table, pairs: Sequence[Pair], settings: DuplicateSettings, compare: Compare
) -> dict[Pair, str]:
    """The evidence for those (row of first, row of second) that are copies; compares block by block."""
    evidence: dict[Pair, str] = {}
    for start in range(0, len(pairs), PAIRS_A_BLOCK):
        block = pairs[start : start + PAIRS_A_BLOCK]
        rows = compare(pairs_table(first, second, block, settings))
        verdicts = zip(rows.column("is_copy").to_pylist(), rows.column("evidence").to_pylist(), strict=True)
        evidence |= {p: words for p, (copy, words) in zip(block, verdicts, strict=True) if copy}
    return evidence


def _preference(row: dict[str, Any]) -> tuple[int, float, str, float]:
    start_s, end_s = row["start_s"] or 0.0, row["end_s"] or 0.0
    return (-row["width_px"] * row["height_px"], start_s - end_s, row["uri"], start_s)


def _copies(compared: _Compared, members: list[int]) -> Iterable[tuple[int, int, str]]:
    """(copy, what it is a copy of, evidence) among the rows `members`."""
    if not members:
        return
    left, right = candidates(frames_of(compared.table.take(members)), None, compared.settings)
    compared.add((members[i], members[j]) for i, j in zip(left.tolist(), right.tolist(), strict=True))
    waiting, number = set(members), 0
    while clusters := _clusters(compared.evidence, waiting):
        number += 1
        keepers = [(min(c, key=lambda i: compared.preference[i]), c) for c in clusters]
        if number <= ROUNDS:
            compared.add((kept, i) for kept, cluster in keepers for i in cluster if i != kept)
        for kept, cluster in keepers:
            waiting.discard(kept)
            for i in cluster:
                evidence = compared.evidence.get((min(kept, i), max(kept, i)))
                if evidence is not None:
                    waiting.discard(i)
                    yield i, kept, evidence


def _clusters(evidence: dict[Pair, str], waiting: set[int]) -> list[list[int]]:
    """Connected components of two or more of the rows in `waiting`, each sorted."""
    edges = [(i, j) for i, j in evidence if i in waiting and j in waiting]
    rows = sorted({i for edge in edges for i in edge})
    if not rows:
        return []
    at = {row: k for k, row in enumerate(rows)}
    first, second = [at[i] for i, _ in edges], [at[j] for _, j in edges]
    graph = coo_array(([True] * len(edges), (first, second)), shape=(len(rows), len(rows)))
    _, labels = connected_components(graph, directed=False)
    clusters: dict[int, list[int]] = {}
    for row, label in zip(rows, labels.tolist(), strict=True):
        clusters.setdefault(label, []).append(row)
    return list(clusters.values())
