"""Synthesised data -> training data: the steps of PAPER 3.3 from top to bottom."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Config
from pipeline.errors import DataError
from pipeline.mine import groups, labels
from pipeline.mine.embed import CONTENT, READS, Embedded, EmbedSource, embed
from pipeline.mine.guards import Documents, Guards
from pipeline.mine.inputs import Task, choose_tasks, read_task
from pipeline.mine.mine_vectors import SubDataset, mine_vectors
from pipeline.mine.ragged import Bools
from pipeline.mine.rows import Rows, in_query_order
from pipeline.mine.summary import Tally
from pipeline.schemas import ASSETS, MINE_REJECTED, TRAIN
from pipeline.stage import Counts, ModelRef, Progress, Runner
from pipeline.store.fingerprint import fingerprint
from pipeline.store.shards import Manifest, read_manifest, write_dataset, write_json

SUB_DATASET = ("task_type", "language")
MOMENTS = "moment_retrieval"  # the task whose documents are spans of one file


@dataclass(frozen=True)
class MineOptions:
    """What a run of mining is told beside the config.

    model_fingerprint: of the embedder that the workers load. assets: the seed pool's rows with
    `labels.ASSET_COLUMNS`, where there is a pool. media_root: replaces the manifests'.
    """

    model_fingerprint: str
    assets: pa.Table | None = None
    media_root: str | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class MinedTask:
    """What mining left behind for one task."""

    task: str
    folder: Path
    counts: Counts
    summary: dict[str, Any]  # of summary.json
    reused: bool  # nothing had changed since the last run


def mine_negatives(
    out: Path, tasks: Sequence[str], config: Config, run: Runner, progress: Progress, options: MineOptions
) -> list[MinedTask]:
    """Mine `<out>/synth/<task>` into `<out>/mined/<task>`; no tasks means all that are there.

    Every query ends in `train` or, with a reason, in `rejected`. An unchanged task is not mined
    again; a killed run goes on. Raises UsageError for an unknown task, DataError for a data set
    whose parts do not fit.
    """
    assets = _assets(options.assets)
    names = choose_tasks(out, list(tasks))
    _embed_together(out, names, config, run, progress, options, assets)
    return [_mine_task(out, name, config, run, progress, options, assets) for name in names]


def _embed_together(
    out: Path,
    names: Sequence[str],
    config: Config,
    run: Runner,
    progress: Progress,
    options: MineOptions,
    assets: pa.Table,
) -> None:
    """Fill the embedding cache for all tasks in one pass: workers start and load the model once."""
    asked: dict[str | None, list[pa.Table]] = {}
    for name in names:
        task = read_task(out / "synth" / name, options.media_root)
        if options.overwrite or not _finished(out / "mined" / name, _key(task, config, options, assets)):
            asked.setdefault(task.media_root, []).append(_contents(task, assets))
    for root, tables in asked.items():
        source = _source(out, root, config, options)
        contents = pa.concat_tables(tables).combine_chunks()
        _embed_contents(contents, assets, source, ModelRef("embedder", config.embedder), run, progress)


def _source(out: Path, media_root: str | None, config: Config, options: MineOptions) -> EmbedSource:
    root = None if media_root is None else Path(media_root)
    return EmbedSource(out, root, config.frames, options.model_fingerprint)


def _key(task: Task, config: Config, options: MineOptions, assets: pa.Table) -> str:
    """Names what a task is mined from."""
    settings = config.model_dump(mode="json", include={"frames", "mine", "embedder"})
    settings["score_map"] = config.embedder.score_map.model_dump(mode="json")  # also where the config names none
    return fingerprint(task=task.fingerprint, config=settings, model=options.model_fingerprint, assets=_hash(assets))


def _mine_task(
    out: Path, name: str, config: Config, run: Runner, progress: Progress, options: MineOptions, assets: pa.Table
) -> MinedTask:
    began = time.perf_counter()
    task = read_task(out / "synth" / name, options.media_root)
    folder, work = out / "mined" / name, out / ".work"
    key = _key(task, config, options, assets)
    if not options.overwrite and (done := _finished(folder, key)):
        return _result(folder, done, reused=True)

    source = _source(out, task.media_root, config, options)
    queries, corpus = _embed(task, assets, source, ModelRef("embedder", config.embedder), run, progress)
    documents, guards = _guards(task, corpus, assets, config)
    rows, tally = Rows.of(task, documents.group), Tally(task)
    lost = np.flatnonzero(~queries.readable)
    train, rejected = [], [rows.unreadable(lost, queries.reject[lost])]
    progress.begin([f"mine {name}"], len(task.queries))
    try:
        for task_type, language, data in _sub_datasets(task, queries, corpus):
            started = time.perf_counter()
            mined = mine_vectors(data, task.judgements, guards, config.mine, config.embedder.score_map, run)
            train.append(rows.train(data, mined))
            rejected.append(rows.rejected(data, mined, config.mine.t_pos, config.mine.top_k))
            tally.add(task_type, language, data, mined)
            n = len(data.query_rows)
            progress.advance(f"mine {name}", n, n, len(rejected[-1]), time.perf_counter() - started)
    finally:
        progress.end()

    kept = in_query_order(train, task.queries, TRAIN)
    dropped = in_query_order(rejected, task.queries, MINE_REJECTED)
    manifest = partial(Manifest, fingerprint=key, config=config.model_dump(mode="json"), media_root=task.media_root)
    write_dataset(folder / "rejected", dropped, MINE_REJECTED, manifest(rows=len(dropped)), work)
    write_dataset(folder / "train", kept, TRAIN, manifest(rows=len(kept)), work)
    summary = {
        **tally.summary(config.mine, kept, dropped),
        **groups.described(documents.group),
        "documents": len(task.corpus),
        "unreadable_documents": dict(Counter(r["reason"] for r in corpus.reject if r is not None)),
        "model_fingerprint": options.model_fingerprint,
        "fingerprint": key,
        "seconds": round(time.perf_counter() - began, 3),
    }
    write_json(folder / "summary.json", summary)
    return _result(folder, summary, reused=False)


def _embed(
    task: Task, assets: pa.Table, source: EmbedSource, model: ModelRef, run: Runner, progress: Progress
) -> tuple[Embedded, Embedded]:
    """Vectors of all queries and of all documents of a task."""
    both = _embed_contents(_contents(task, assets), assets, source, model, run, progress)
    n = len(task.queries)
    halves = (slice(None, n), slice(n, None))
    one, two = (Embedded(both.vectors[h], both.readable[h], both.reject[h]) for h in halves)
    return one, two


def _contents(task: Task, assets: pa.Table) -> pa.Table:
    """What is embedded: queries with the instruction of their task type, then documents without."""
    asked = []
    for table, instruction in ((task.queries, task.instructions), (task.corpus, None)):
        types = table.column("task_type").to_pylist()
        said = [instruction[t] if instruction else "" for t in types]
        columns = [c for c in READS if c in CONTENT or c == "asset_id"]
        asked.append(table.select(columns).append_column("instruction", pa.array(said, pa.string())))
    contents = pa.concat_tables(asked).combine_chunks()
    whole = labels.whole_assets(contents, assets) >= 0
    ids = pc.if_else(pa.array(whole), contents.column("asset_id"), pa.scalar(None, pa.string()))
    return contents.set_column(contents.column_names.index("asset_id"), "asset_id", ids)


def _embed_contents(
    contents: pa.Table, assets: pa.Table, source: EmbedSource, model: ModelRef, run: Runner, progress: Progress
) -> Embedded:
    hashes = labels.file_hashes(contents, assets).to_pylist()
    return embed(contents, hashes, source, model, run, progress)


def _guards(task: Task, corpus: Embedded, assets: pa.Table, config: Config) -> tuple[Documents, Guards]:
    content = labels.content_labels(task.corpus)
    fingerprints = labels.fingerprints(task.corpus, assets)
    group = groups.near_duplicate_groups(content, corpus.vectors, corpus.readable, fingerprints, config.mine.guards)
    source = labels.source_labels(task.corpus, labels.file_hashes(task.corpus, assets))
    documents = Documents(content, group, source, *labels.spans(task.corpus))
    queries = labels.content_labels(task.queries)
    moments = task.name == MOMENTS
    return documents, Guards(
        queries, task.judgements.positives, documents, moments, config.mine.guards, task.judgements.undecided
    )


def _sub_datasets(task: Task, queries: Embedded, corpus: Embedded) -> Iterator[tuple[str, str | None, SubDataset]]:
    """Task type x language, in order; documents without a task type or language serve all."""
    kinds = set(zip(*(task.queries.column(c).to_pylist() for c in SUB_DATASET), strict=True))
    for kind in sorted(kinds, key=lambda k: (k[0], k[1] or "")):
        asks, serves = queries.readable.copy(), corpus.readable.copy()
        for column, wanted in zip(SUB_DATASET, kind, strict=True):
            asks &= _equals(task.queries.column(column), wanted)
            serves &= _equals(task.corpus.column(column), wanted) | _equals(task.corpus.column(column), None)
        rows, documents = np.flatnonzero(asks), np.flatnonzero(serves)
        yield *kind, SubDataset(queries.vectors[rows], corpus.vectors[documents], rows, documents)


def _equals(column: pa.ChunkedArray, wanted: str | None) -> Bools:
    mask = pc.is_null(column) if wanted is None else pc.fill_null(pc.equal(column, wanted), False)
    return np.asarray(mask.to_numpy())


def _assets(assets: pa.Table | None) -> pa.Table:
    """The columns that mining reads; an empty table where there is no seed pool."""
    if assets is None:
        return pa.schema([ASSETS.field(c) for c in labels.ASSET_COLUMNS]).empty_table()
    missing = [c for c in labels.ASSET_COLUMNS if c not in assets.column_names]
    if missing:
        raise DataError(f"the seed pool lacks the columns {missing}; run seed-pool build again")
    return assets.select(list(labels.ASSET_COLUMNS)).combine_chunks()


def _hash(table: pa.Table) -> str:
    digest = hashlib.sha256()
    for batch in table.to_batches(max_chunksize=8192):
        digest.update(json.dumps(batch.to_pylist(), sort_keys=True).encode())
    return digest.hexdigest()


def _finished(folder: Path, key: str) -> dict[str, Any] | None:
    """The summary of a run whose three files all carry `key`; None when any does not."""
    manifests = [read_manifest(folder / part) for part in ("train", "rejected")]
    if any(m is None or m.fingerprint != key for m in manifests):
        return None
    try:
        summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return summary if summary.get("fingerprint") == key else None


def _result(folder: Path, summary: dict[str, Any], reused: bool) -> MinedTask:
    name, n = folder.name, summary["queries"]
    return MinedTask(
        name, folder, Counts(f"mine {name}", n, n, summary["rejected"], summary["seconds"]), summary, reused
    )
