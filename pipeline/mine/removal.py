"""Takes items of the seed pool out of mined tasks, exports and the caches of vectors and frames."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from pipeline.config import FrameSettings
from pipeline.mine.data_set import data_set_of
from pipeline.mine.datasets.layouts import is_own
from pipeline.mine.embedding_cache import EmbeddingCache, Keys, as_matrix
from pipeline.mine.inputs import read_task
from pipeline.mine.judgements import RANDOM
from pipeline.mine.labels import ASSET_COLUMNS, file_hashes
from pipeline.mine.summary import by_reason
from pipeline.schemas import ASSETS, CONTENT, MINE_REJECTED, RELEVANCE, TRAIN
from pipeline.store.removal import (
    POSITIVE_REMOVED,
    STAGE,
    Gone,
    Loss,
    Removal,
    Rewriter,
    is_one_of,
    mentioning,
    scrubbed,
)
from pipeline.store.shards import Manifest, read_dataset, read_manifest, shard_paths, write_json

Row = dict[str, Any]


def mined_folders(out: Path) -> list[Path]:
    """The complete mined tasks of a run, by name."""
    found = sorted(p.parent for p in (out / "mined").glob("*/train"))
    return [f for f in found if read_manifest(f / "train") and read_manifest(f / "rejected")]


def remove_from_mined(folder: Path, removal: Removal, gone: Gone, rewriter: Rewriter) -> bool:
    """Write a mined task again without what is `gone`; tells whether anything of it was.

    A row goes with its query. A row that loses its last refined positive becomes a reject
    `positive_removed`. Any other loses the document; its mean is taken again, and with it the negatives that
    are above the margin now.
    """
    manifest = read_manifest(folder / "train")
    margin = _margin(manifest)
    renamed = _new_groups(folder, removal, gone)
    words = mentioning([*removal.assets, *removal.uris, *removal.files, *gone.queries, *gone.documents])
    bereft: list[Row] = []
    changed = 0

    def trained(table: pa.Table) -> pa.Table:
        nonlocal changed
        kept: list[Row] = []
        for row in table.to_pylist():
            if row["query_id"] in gone.queries or row["asset_id"] in removal.assets or _shows(row["query"], removal):
                continue
            left = _without(row, removal, gone, renamed, margin)
            changed += left != row
            if left["positives"]:
                kept.append(left)
            else:
                lost = {"stage": STAGE, "reason": POSITIVE_REMOVED, "detail": "the only refined positive of the query"}
                bereft.append({"query_id": row["query_id"], **lost})
        return pa.Table.from_pylist(kept, schema=TRAIN)

    def rejected(table: pa.Table) -> pa.Table:
        return scrubbed(table.filter(pc.invert(is_one_of(table.column("query_id"), gone.queries))), words)

    gone_rows = rewriter.rewrite(folder / "train", TRAIN, trained).gone
    rewriter.losses.append(Loss(f"mined/{folder.name}/train", 0, changed))
    more = pa.Table.from_pylist(bereft, schema=MINE_REJECTED)
    gone_rows += rewriter.rewrite(folder / "rejected", MINE_REJECTED, rejected, more).gone
    rewriter.rewrite(folder / "relevance", RELEVANCE, lambda t: _pairs_without(t, gone))
    touched = bool(changed or gone_rows)
    if touched and not rewriter.dry:
        _summarise(folder, gone)
    return touched


def _margin(manifest: Manifest | None) -> float:
    try:
        return float(manifest.config["mine"]["margin"]) if manifest else float("inf")
    except (KeyError, TypeError, ValueError):
        return float("inf")


def _shows(content: Row, removal: Removal) -> bool:
    return content["image"] in removal.uris or content["video"] in removal.uris


def _without(row: Row, removal: Removal, gone: Gone, renamed: Mapping[str, str], margin: float) -> Row:
    left = dict(row)
    for name in ("positives", "negatives"):
        left[name] = [
            {**d, "group_id": renamed.get(d["group_id"], d["group_id"])}
            for d in row[name]
            if d["doc_id"] not in gone.documents and not _shows(d["content"], removal)
        ]
    if len(left["positives"]) not in (0, len(row["positives"])):
        mean = float(np.mean([d["score"] for d in left["positives"]], dtype=np.float32))
        left["positive_mean"] = mean
        left["negatives"] = [d for d in left["negatives"] if d["score"] < mean + margin]
    contents = [left["query"], *(d["content"] for d in [*left["positives"], *left["negatives"]])]
    uris = {c["image"] or c["video"] for c in contents}
    left["sources"] = [s for s in row["sources"] if s["uri"] in uris]
    return left


def _new_groups(folder: Path, removal: Removal, gone: Gone) -> dict[str, str]:
    """New names for near-duplicate groups that bear the id of a document that goes: the least id that stays."""
    left: dict[str, str] = {}
    for part in shard_paths(folder / "train"):
        for row in pq.read_table(part, columns=["positives", "negatives"]).to_pylist():
            for d in [*row["positives"], *row["negatives"]]:
                group, doc_id = d["group_id"], d["doc_id"]
                if group in gone.documents and doc_id not in gone.documents and not _shows(d["content"], removal):
                    left[group] = min(left.get(group, doc_id), doc_id)
    return left


def _pairs_without(table: pa.Table, gone: Gone) -> pa.Table:
    lost = pc.or_(is_one_of(table.column("query_id"), gone.queries), is_one_of(table.column("doc_id"), gone.documents))
    return table.filter(pc.invert(lost))


def _summarise(folder: Path, gone: Gone) -> None:
    """Bring the counts of summary.json up to date; histograms, guards and hubness stay those of the mining."""
    path = folder / "summary.json"
    if not path.is_file():
        return
    summary = json.loads(path.read_text(encoding="utf-8"))
    train, rejected = read_dataset(folder / "train"), read_dataset(folder / "rejected")
    rows = train.select(["positives", "negatives", "positive_mean", "task_type", "language"]).to_pylist()
    negatives = [(d["score"], r["positive_mean"]) for r in rows for d in r["negatives"]]
    kept = Counter((r["task_type"], r["language"]) for r in rows)
    lost = _lost_of_sub_datasets(folder.parents[1] / "synth" / folder.name, gone)
    subs = [
        s
        | {"kept": kept[s["task_type"], s["language"]]}
        | {name: s[name] - lost(name, s["task_type"], s["language"]) for name in ("queries", "documents")}
        for s in summary.get("sub_datasets", [])
    ]
    summary |= {
        "queries": len(train) + len(rejected),
        "kept": len(train),
        "rejected": by_reason(rejected),
        "positives": sum(len(r["positives"]) for r in rows),
        "negatives": len(negatives),
        "without_negatives": sum(not r["negatives"] for r in rows),
        "fewer_negatives": sum(len(r["negatives"]) < summary["max_negatives"] for r in rows),
        "random_negatives": sum(d["source"] == RANDOM for r in rows for d in r["negatives"]),
        "negatives_above_positive_mean": sum(s > m for s, m in negatives) / len(negatives) if negatives else 0.0,
        "documents": summary.get("documents", 0) - len(gone.documents),
        "sub_datasets": subs,
    }
    write_json(path, summary)


def _lost_of_sub_datasets(synth: Path, gone: Gone) -> Callable[[str, str, str | None], int]:
    """How many queries or documents that are `gone` a sub-dataset had; the task has not been written again yet."""
    found: dict[str, list[Row]] = {}
    for name, part, key, ids in (
        ("queries", "queries", "query_id", gone.queries),
        ("documents", "corpus", "doc_id", gone.documents),
    ):
        table = read_dataset(synth / part, [key, "task_type", "language"]) if read_manifest(synth / part) else None
        found[name] = [] if table is None else table.filter(is_one_of(table.column(key), ids)).to_pylist()

    def lost(name: str, task_type: str, language: str | None) -> int:
        return sum(r["task_type"] in (None, task_type) and r["language"] in (None, language) for r in found[name])

    return lost


def remove_exports(out: Path, tasks: Iterable[str], dry: bool) -> list[str]:
    """Delete the exports of `tasks` and the media files that no other export names; give the exports' names.

    `mine export` writes them again from the rows that are left.
    """
    root, named = out / "export", set(tasks)
    found = [f for f in sorted(root.glob("*/*")) if f.is_dir() and f.parent.name != "media" and f.name in named]
    if dry:
        return [str(f.relative_to(root)) for f in found]
    for folder in found:
        shutil.rmtree(folder)
    left = [line for path in root.glob("*/*/*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    for medium in sorted((root / "media").glob("*")) if found else []:
        if not any(medium.name in line for line in left):
            medium.unlink(missing_ok=True)
    return [str(f.relative_to(root)) for f in found]


def sweep_caches(out: Path, tasks: Iterable[Path], assets: pa.Table, gone: Mapping[str, Gone]) -> int:
    """Keep of all vectors only those that the queries and documents left in `tasks` ask for; give the number
    of those deleted. Frames of removed spans that are no whole asset go too.

    To be called before the pool and the tasks are written again. Keys are hashes: what is still asked for is
    known, so nothing else needs to be. Vectors of data sets from elsewhere stay as long as their folder is there.
    """
    wanted: set[str] = set(_of_data_sets(out))
    frames: set[str] = set()
    for folder in tasks:
        lost = gone[folder.name]
        for settings in _frame_settings(folder, out / "mined" / folder.name):
            for row, sha256, keys in _asked(folder, assets, settings):
                stays = row["id"] not in lost.queries and row["id"] not in lost.documents
                if stays:
                    wanted.add(keys.of(row, sha256))
                elif row["image"] or row["video"]:
                    frames.add(keys.frames_id(row, sha256))
    for name in frames:
        for path in (out / "cache" / "frames" / name[:2]).glob(f"{name}-*.frames"):
            path.unlink(missing_ok=True)
    return sum(_sweep(folder, wanted) for folder in sorted((out / "cache" / "embeddings").glob("*")))


def _of_data_sets(out: Path) -> Iterator[str]:
    """Keys of all that the data sets from elsewhere ask for that were mined into `out`."""
    unknown = pa.schema([ASSETS.field(c) for c in ASSET_COLUMNS]).empty_table()  # they are mined without the pool
    for mined in mined_folders(out):
        folder = data_set_of(mined)
        if folder is not None and is_own(folder):
            for settings in _frame_settings(folder, mined):
                for row, sha256, keys in _asked(folder, unknown, settings):
                    yield keys.of(row, sha256)


def _asked(folder: Path, assets: pa.Table, settings: FrameSettings) -> Iterator[tuple[Row, str | None, Keys]]:
    task = read_task(folder, None)
    keys = Keys(settings, None if task.media_root is None else Path(task.media_root))
    for table, key in ((task.queries, "query_id"), (task.corpus, "doc_id")):
        rows = table.select([key, "task_type", *(f.name for f in CONTENT)]).to_pylist()
        for row, sha256 in zip(rows, file_hashes(table, assets).to_pylist(), strict=True):
            told = task.instructions[row["task_type"]] if key == "query_id" else ""
            yield {**row, "id": row[key], "instruction": told}, sha256, keys


def _frame_settings(folder: Path, mined: Path) -> list[FrameSettings]:
    """Those that the task was made and mined with."""
    found = []
    for manifest in (read_manifest(folder / "queries"), read_manifest(mined / "train")):
        try:
            settings = FrameSettings.model_validate(manifest.config.get("frames") or {}) if manifest else None
        except ValidationError:  # of another version, whose keys nobody asks for any more
            settings = None
        if settings is not None and settings not in found:
            found.append(settings)
    return found


def _sweep(folder: Path, wanted: set[str]) -> int:
    cache, keep, lost = EmbeddingCache(folder), pa.array(sorted(wanted), pa.string()), 0
    for part in shard_paths(folder):
        try:
            table = pq.read_table(part)
        except (pa.ArrowException, OSError):  # a damaged file counts as absent
            part.unlink(missing_ok=True)
            continue
        left = table.filter(pc.is_in(table.column("key"), value_set=keep))
        if len(left) < len(table):
            lost += len(table) - len(left)
            if len(left):
                cache.add(left.column("key").combine_chunks(), as_matrix(left.column("vector")))
            part.unlink()
    return lost
