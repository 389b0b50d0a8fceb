"""Decontamination: assets that are near copies of a benchmark's media leave the pool, with a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.config import DuplicateSettings
from pipeline.seed_pool.benchmarks import Benchmark, Collection
from pipeline.seed_pool.candidates import READS as FRAMES
from pipeline.seed_pool.candidates import candidates, frames_of
from pipeline.seed_pool.duplicates import Compare, copies_among, place
from pipeline.stage import dead, live, rejects

NAME = "exclude"
READS = (*FRAMES, "sha256")
NOT_MEDIA = "not_media"


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
) -> tuple[pa.Array, list[dict[str, str]]]:
    """The `reject` column of `pool` (READS), and one hit an asset: benchmark, item, asset_id, uri, evidence.

    An asset is `contaminated` when it has the bytes of a benchmark's file, or is a near copy of an
    item by the rule of `duplicates`. The first benchmark in the order given names it.
    """
    verdicts: list[tuple[str, str] | None] = [None] * len(pool)
    hits: list[dict[str, str]] = []
    rows = pool.select(["asset_id", "uri", "media", "start_s", "end_s", "sha256"]).to_pylist()
    for exclusion in exclusions:
        for i, (item, evidence) in sorted(_hits(pool, rows, exclusion, settings, compare(exclusion)).items()):
            if verdicts[i] is None:
                verdicts[i] = (
                    "contaminated",
                    f"near copy of {item} of benchmark {exclusion.benchmark.name}: {evidence}",
                )
                hits.append(
                    {
                        "benchmark": exclusion.benchmark.name,
                        "item": item,
                        "asset_id": rows[i]["asset_id"],
                        "asset": place(rows[i]),
                        "evidence": evidence,
                    }
                )
    return rejects(NAME, verdicts), hits


def _hits(
    pool: pa.Table, rows: list[dict[str, Any]], exclusion: Exclusion, settings: DuplicateSettings, compare: Compare
) -> dict[int, tuple[str, str]]:
    """Item and evidence for each row of the pool that is a copy of one of the benchmark."""
    same = {
        r["sha256"]: exclusion.collection.items[r["uri"]] for r in exclusion.table.select(["sha256", "uri"]).to_pylist()
    }
    found = {i: (same[r["sha256"]], "same bytes") for i, r in enumerate(rows) if r["sha256"] in same}
    items = live(exclusion.table).select(list(READS))
    their_media = items.column("media").to_pylist()
    names = [exclusion.collection.items[uri] for uri in items.column("uri").to_pylist()]
    spans = items.select(["uri", "start_s", "end_s"]).to_pylist()
    for media in ("image", "video"):
        ours = [i for i, r in enumerate(rows) if r["media"] == media and i not in found]
        theirs = [i for i, m in enumerate(their_media) if m == media]
        if not ours or not theirs:
            continue
        left, right = candidates(frames_of(pool.take(ours)), frames_of(items.take(theirs)), settings)
        pairs = [(ours[i], theirs[j]) for i, j in zip(left.tolist(), right.tolist(), strict=True)]
        for (i, j), evidence in copies_among(pool, items, pairs, settings, compare).items():
            found.setdefault(i, (place({**spans[j], "uri": names[j]}), evidence))
    return found


def report(exclusions: Sequence[Exclusion], hits: Sequence[dict[str, str]]) -> dict[str, Any]:
    """What `exclusions.json` says: items, hits and unreadable items a benchmark, and the lists for mteb.

    `mteb.training_datasets` holds the names that a model trained on this pool should declare in
    `ModelMeta.training_datasets` as far as media go: benchmarks of which an item could not be compared.
    `without_exclusion` is what it would have had to declare, had nothing been dropped.
    """
    benchmarks: list[dict[str, Any]] = []
    for benchmark in dict.fromkeys(e.benchmark for e in exclusions):
        parts = [e for e in exclusions if e.benchmark == benchmark]
        own = [{k: v for k, v in h.items() if k != "benchmark"} for h in hits if h["benchmark"] == benchmark.name]
        benchmarks.append(
            {
                "name": benchmark.name,
                "path": str(benchmark.path),
                "items": sum(part.media for part in parts),
                "contaminated_assets": len(own),
                "contaminating_items": len({hit["item"] for hit in own}),
                "unreadable": [item for part in parts for item in part.unreadable],
                "hits": own,
            }
        )
    unsure = {b["name"] for b in benchmarks if b["unreadable"]}
    hit = {b["name"] for b in benchmarks if b["hits"]}
    lists = {"training_datasets": sorted(unsure), "without_exclusion": sorted(unsure | hit)}
    return {"benchmarks": benchmarks, "mteb": lists}
