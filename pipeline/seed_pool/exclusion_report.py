"""What `exclusions.json` says: which assets were left out for which items of which benchmark."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "exclusions.json"


@dataclass(frozen=True)
class Hit:
    """An asset of the pool that is a near copy of an item of a benchmark, or of a segment of one."""

    benchmark: str
    item: str
    span_s: tuple[float, float] | None  # of the item's segment
    asset_id: str
    asset: str  # where it stands, for a reader
    evidence: str


def entry(
    name: str, path: Path, items: int, unreadable: Sequence[Mapping[str, str]], hits: Sequence[Hit]
) -> dict[str, Any]:
    """What is said of one benchmark. items: its pictures and videos. hits: those of all benchmarks."""
    own = [asdict(hit) for hit in hits if hit.benchmark == name]
    for hit in own:
        del hit["benchmark"]
    said = {"name": name, "path": str(path), "items": items, "unreadable": list(unreadable)}
    return _counted({**said, "contaminated_assets": 0, "contaminating_items": 0, "hits": own})


def written(benchmarks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The whole report: an `entry` a benchmark, and the lists for mteb.

    `mteb.training_datasets` holds the names that a model trained on this pool should declare in
    `ModelMeta.training_datasets` as far as media go: benchmarks of which an item could not be compared.
    `without_exclusion` is what it would have had to declare, had nothing been dropped.
    """
    unsure = {b["name"] for b in benchmarks if b["unreadable"]}
    hit = {b["name"] for b in benchmarks if b["hits"]}
    lists = {"training_datasets": sorted(unsure), "without_exclusion": sorted(unsure | hit)}
    return {"benchmarks": list(benchmarks), "mteb": lists}


def without(report: Mapping[str, Any], assets: Collection[str]) -> dict[str, Any]:
    """A report as if the assets with these ids had never been there."""
    left = [{**b, "hits": [h for h in b["hits"] if h["asset_id"] not in assets]} for b in report["benchmarks"]]
    return written([_counted(benchmark) for benchmark in left])


def _counted(benchmark: dict[str, Any]) -> dict[str, Any]:
    hits = benchmark["hits"]
    assets, items = {hit["asset"] for hit in hits}, {hit["item"] for hit in hits}
    return {**benchmark, "contaminated_assets": len(assets), "contaminating_items": len(items)}
