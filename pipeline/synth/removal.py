"""Takes items of the seed pool out of synthesised tasks."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.atomic import replacing_folder
from pipeline.schemas import SYNTH_REJECTED
from pipeline.store.removal import (
    POSITIVE_REMOVED,
    STAGE,
    Gone,
    Removal,
    Rewriter,
    is_one_of,
    mentioning,
    scrubbed,
)
from pipeline.store.shards import read_dataset, read_manifest, shard_paths, write_json
from pipeline.synth.recipe import DATASETS


def task_folders(out: Path) -> list[Path]:
    """The complete tasks of a run, by name."""
    found = sorted(p.parent for p in (out / "synth").glob("*/dataset.json"))
    return [f for f in found if all(read_manifest(f / name) is not None for name in DATASETS)]


def lost_by(folder: Path, removal: Removal) -> Gone:
    """Which queries and documents of a task go with `removal`.

    A query goes when it was made from an asset that goes, or shows its file, or when it loses its last
    positive. A text goes when all queries that it was right or wrong for go.
    """
    queries, corpus, relevance = (read_dataset(folder / name) for name in ("queries", "corpus", "relevance"))
    asked = set(_of(queries, "query_id", removal))
    documents = set(_of(corpus, "doc_id", removal))
    pairs = relevance.select(["query_id", "doc_id", "relevance"]).to_pylist()
    left = {p["query_id"] for p in pairs if p["relevance"] == 1 and p["doc_id"] not in documents}
    orphans = {p["query_id"] for p in pairs if p["relevance"] == 1} - left - asked
    gone = asked | orphans
    texts = set(corpus.filter(pc.is_valid(corpus.column("text"))).column("doc_id").to_pylist())
    needed = {p["doc_id"] for p in pairs if p["query_id"] not in gone}
    documents |= {p["doc_id"] for p in pairs if p["query_id"] in gone and p["doc_id"] in texts} - needed
    return Gone(frozenset(gone), frozenset(orphans), frozenset(documents))


def _of(table: pa.Table, key: str, removal: Removal) -> list[str]:
    mine = is_one_of(table.column("asset_id"), removal.assets)
    for column in ("image", "video"):
        mine = pc.or_(mine, is_one_of(table.column(column), removal.uris))
    found: list[str] = table.filter(mine).column(key).to_pylist()
    return found


def remove_from_task(folder: Path, removal: Removal, gone: Gone, rewriter: Rewriter) -> None:
    """Write a task again without what is `gone`; the folder is replaced as a whole."""
    orphans = read_dataset(folder / "queries", ["query_id", "asset_id"])
    orphans = orphans.filter(is_one_of(orphans.column("query_id"), gone.orphans))
    bereft = [
        {"asset_id": a, "stage": STAGE, "reason": POSITIVE_REMOVED, "detail": "the only positive of its query"}
        for a in sorted(set(orphans.column("asset_id").to_pylist()))
    ]
    words = mentioning([*removal.assets, *removal.uris, *removal.files, *gone.queries, *gone.documents])

    def stays(table: pa.Table) -> pa.Table:
        keep = pa.chunked_array([pa.array([True] * len(table), pa.bool_())])
        for column, values in (("query_id", gone.queries), ("doc_id", gone.documents)):
            if column in table.column_names:
                keep = pc.and_(keep, pc.invert(is_one_of(table.column(column), values)))
        return table.filter(keep)

    def rejected(table: pa.Table) -> pa.Table:
        return scrubbed(table.filter(pc.invert(is_one_of(table.column("asset_id"), removal.assets))), words)

    more = pa.Table.from_pylist(bereft, schema=SYNTH_REJECTED)
    if rewriter.dry:
        for name, schema in DATASETS.items():
            rewriter.rewrite(folder / name, schema, rejected if name == "rejected" else stays)
        return
    with replacing_folder(folder, rewriter.work) as staging:
        for name, schema in DATASETS.items():
            is_reject = name == "rejected"
            change, extra = (rejected, more) if is_reject else (stays, None)
            rewriter.rewrite(folder / name, schema, change, extra, target=staging / name)
        write_json(staging / "dataset.json", json.loads((folder / "dataset.json").read_text(encoding="utf-8")))
        if (folder / "summary.json").is_file():
            summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            write_json(staging / "summary.json", summary | _counted(staging, summary))


def _counted(folder: Path, summary: dict[str, Any]) -> dict[str, Any]:
    rows = {name: sum(pq.read_metadata(p).num_rows for p in shard_paths(folder / name)) for name in DATASETS}
    by_type = Counter(read_dataset(folder / "queries", ["task_type"]).column("task_type").to_pylist())
    reasons = Counter(read_dataset(folder / "rejected", ["reason"]).column("reason").to_pylist())
    return {
        "queries": rows["queries"],
        "documents": rows["corpus"],
        "rejected": rows["rejected"],
        "by_task_type": {name: by_type[name] for name in summary.get("by_task_type", by_type)},
        "by_reason": dict(sorted(reasons.items())),
    }
