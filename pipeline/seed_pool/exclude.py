"""Decontamination: assets that are near copies of a benchmark's media leave the pool, with a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.config import DuplicateSettings
from pipeline.seed_pool.benchmarks import Benchmark, Collection
from pipeline.seed_pool.candidates import READS as FRAMES
from pipeline.seed_pool.candidates import candidates, frames_of
from pipeline.seed_pool.duplicates import Compare, copies_among, place
from pipeline.seed_pool.exclusion_report import Hit, entry, written
from pipeline.stage import dead, live, rejects

NAME = "exclude"
READS = (*FRAMES, "sha256")
NOT_MEDIA = "not_media"
Span = tuple[float, float] | None


@dataclass(frozen=True)
class Exclusion:
    """Media of a benchmark, read as the pool's are.

    table: candidates.READS, sha256 and reject; a row a picture or segment, and one a file that failed.
    """

    benchmark: Benchmark
    collection: Collection
    table: pa.Table

    @property
    def unreadable(self) -> list[dict[str, str]]:
        """Items that could not be compared: copies of them may still be in the pool."""
        read = set(live(self.table).column("uri").to_pylist())
        rows = dead(self.table).select(["uri", "reason", "detail"]).to_pylist()
        failed = {r["uri"]: r for r in rows if r["uri"] not in read | self._texts}
        items = self.collection.items
        return [{"item": items[uri], "reason": r["reason"], "detail": r["detail"]} for uri, r in sorted(failed.items())]

    @property
    def media(self) -> int:
        """Items that are pictures or videos, readable or not."""
        return len(self.collection.items) - len(self._texts)

    @property
    def _texts(self) -> frozenset[str]:
        """Files beside the media, of which nobody said that they are any, and which are none."""
        rows = dead(self.table).select(["uri", "reason"]).to_pylist()
        return self.collection.others & {r["uri"] for r in rows if r["reason"] == NOT_MEDIA}


def find_contaminated(
    pool: pa.Table,
    exclusions: Sequence[Exclusion],
    settings: DuplicateSettings,
    compare: Callable[[Exclusion], Compare],
) -> tuple[pa.Array, list[Hit]]:
    """The `reject` column of `pool` (READS), and a hit for each asset and item of each benchmark.

    An asset is `contaminated` when it has the bytes of a benchmark's file, or is a near copy of an
    item by the rule of `duplicates`. The reject names the first benchmark in the order given, and one item of it.
    """
    verdicts: list[tuple[str, str] | None] = [None] * len(pool)
    hits: list[Hit] = []
    rows = pool.select(["asset_id", "uri", "media", "start_s", "end_s", "sha256"]).to_pylist()
    for exclusion in exclusions:
        name = exclusion.benchmark.name
        for i, item, span_s, evidence in _copies(pool, rows, exclusion, settings, compare(exclusion)):
            hits.append(Hit(name, item, span_s, rows[i]["asset_id"], place(rows[i]), evidence))
            shown = place(dict(zip(("start_s", "end_s"), span_s or (None, None), strict=True), uri=item))
            verdicts[i] = verdicts[i] or ("contaminated", f"near copy of {shown} of benchmark {name}: {evidence}")
    return rejects(NAME, verdicts), hits


def _copies(
    pool: pa.Table, rows: list[dict[str, Any]], exclusion: Exclusion, settings: DuplicateSettings, compare: Compare
) -> Iterator[tuple[int, str, Span, str]]:
    """(row of the pool, item, span of its segment, evidence) of all copies, by row; the same bytes first."""
    names = exclusion.collection.items
    same: dict[str, list[str]] = {}
    files = {r["uri"]: r["sha256"] for r in exclusion.table.select(["uri", "sha256"]).to_pylist() if r["sha256"]}
    for uri, sha256 in sorted(files.items()):
        same.setdefault(sha256, []).append(names[uri])
    found: list[tuple[int, str, Span, str]] = [
        (i, item, None, "same bytes") for i, r in enumerate(rows) for item in same.get(r["sha256"], ())
    ]
    items = live(exclusion.table).select(list(READS))
    segments = items.select(["uri", "media", "sha256", "start_s", "end_s"]).to_pylist()
    for media in ("image", "video"):
        ours = [i for i, r in enumerate(rows) if r["media"] == media]
        theirs = [j for j, r in enumerate(segments) if r["media"] == media]
        if not ours or not theirs:
            continue
        left, right = candidates(frames_of(pool.take(ours)), frames_of(items.take(theirs)), settings)
        proposed = ((ours[i], theirs[j]) for i, j in zip(left.tolist(), right.tolist(), strict=True))
        pairs = [(i, j) for i, j in proposed if rows[i]["sha256"] != segments[j]["sha256"]]
        for (i, j), evidence in copies_among(pool, items, pairs, settings, compare).items():
            span_s = (segments[j]["start_s"], segments[j]["end_s"]) if media == "video" else None
            found.append((i, names[segments[j]["uri"]], span_s, evidence))
    yield from sorted(found, key=lambda f: f[0])


def report(exclusions: Sequence[Exclusion], hits: Sequence[Hit]) -> dict[str, Any]:
    """What `exclusions.json` says."""
    entries = []
    for benchmark in dict.fromkeys(e.benchmark for e in exclusions):
        parts = [e for e in exclusions if e.benchmark == benchmark]
        unreadable = [item for part in parts for item in part.unreadable]
        entries.append(entry(benchmark.name, benchmark.path, sum(part.media for part in parts), unreadable, hits))
    return written(entries)
