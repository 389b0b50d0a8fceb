"""Somebody's data set -> our own layout on disk, with a reject for every row that cannot be used.

Items stream through working shards; memory holds their ids and the positions of the judged pairs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.atomic import replacing_folder
from pipeline.errors import DataError
from pipeline.mine.datasets.ids import differ, repeats, with_unique_ids
from pipeline.mine.datasets.items import ITEMS, Item, items_table, judgements_table
from pipeline.mine.datasets.judged_pairs import judged
from pipeline.mine.datasets.layouts import Layout, Pairs
from pipeline.mine.datasets.pairs import PairsSource
from pipeline.mine.datasets.rejects import Rejects
from pipeline.mine.datasets.retrieval import RetrievalSource
from pipeline.mine.datasets.several import Several
from pipeline.mine.datasets.source import Reading, Source, batches
from pipeline.mine.datasets.task_types import TaskTypes
from pipeline.mine.ragged import Bools, Ints
from pipeline.schemas import CORPUS, DATASET_REJECTED, QUERIES, RELEVANCE
from pipeline.stage import Progress
from pipeline.store.fingerprint import code_of, fingerprint
from pipeline.store.shards import Manifest, finished, read_dataset, shard_paths, write_dataset, write_json

PARTS = ("queries", "corpus", "relevance", "rejected")
ROWS = 8192


@dataclass(frozen=True)
class Wanted:
    """What a data set from elsewhere is read as.

    path: as given. instruction: of the queries that bring none. columns: of pairs, by field.
    """

    name: str
    path: Path
    layouts: Mapping[str, Layout]
    instruction: str
    columns: Mapping[str, str] = field(default_factory=dict)
    media_root: Path | None = None  # none means the data set's own folder
    in_batch_negatives: bool = True

    @property
    def folder(self) -> Path:
        """The folder that names of its files count from."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def key(self) -> str:
        """Names the files, as they are now, and how they are read."""
        files = [
            [name, file.uri, *(getattr(file.path.stat(), s) for s in ("st_size", "st_mtime_ns"))]
            for name, layout in self.layouts.items()
            for file in layout.files
        ]
        told = [self.name, str(self.path), self.instruction, dict(self.columns), str(self.media_root)]
        return fingerprint(files=files, told=told, in_batch=self.in_batch_negatives, code=code_of(__package__ or ""))


def prepare(wanted: Wanted, folder: Path, work: Path, progress: Progress) -> dict[str, Any]:
    """Write the data set to `folder`: queries, corpus, relevance, rejected, dataset.json; give its summary.

    Unchanged files are not read again. Raises DataError when a file cannot be read or nothing is left,
    UsageError when columns are not found.
    """
    key = wanted.key
    if done := finished(folder, PARTS, key):
        return done.summary
    staging = work / f"reading-{key}"
    for killed in work.glob("reading-*"):
        shutil.rmtree(killed, ignore_errors=True)
    progress.begin([f"read {wanted.name}"], 0)
    try:
        summary = _Preparation(wanted, folder, staging, key, progress).run()
    finally:
        progress.end()
        shutil.rmtree(staging, ignore_errors=True)
    return summary


def _source(wanted: Wanted) -> Source:
    reading = Reading((wanted.media_root or wanted.folder).resolve(), wanted.columns)
    sources: dict[str, Source] = {
        name: PairsSource(layout, reading) if isinstance(layout, Pairs) else RetrievalSource(layout, reading)
        for name, layout in wanted.layouts.items()
    }
    return sources[""] if list(sources) == [""] else Several(sources)


@dataclass
class _Part:
    """The items of queries or corpus on disk, and which of them stay."""

    shards: Path
    ids: pa.Array
    fits: Bools
    kept: pa.Array = field(init=False)  # ids, in order

    def __post_init__(self) -> None:
        self.kept = self.ids.filter(pa.array(self.fits))

    def drop(self, lost: Ints) -> None:
        """Let go of the kept items at these positions."""
        self.fits[np.flatnonzero(self.fits)[lost]] = False
        self.kept = self.ids.filter(pa.array(self.fits))

    def tables(self, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """The kept items, with `columns` of ITEMS; none means all."""
        start = 0
        for path in shard_paths(self.shards):
            table = pq.read_table(path, columns=columns)
            yield table.filter(pa.array(self.fits[start : start + len(table)]))
            start += len(table)


class _Preparation:
    """One run of `prepare`."""

    def __init__(self, wanted: Wanted, folder: Path, staging: Path, key: str, progress: Progress) -> None:
        self.wanted, self.folder, self.staging, self.progress = wanted, folder, staging, progress
        self.work = staging.parent
        self.source = _source(wanted)
        self.types = TaskTypes(wanted.name, wanted.instruction)
        self.manifest = partial(
            Manifest, rows=0, fingerprint=key, media_root=str((wanted.media_root or wanted.folder).resolve())
        )
        self.key = key
        self.rejects = Rejects()
        self.repeats: dict[str, int] = {}

    def run(self) -> dict[str, Any]:
        """Read, check and write."""
        queries = self._items("queries", self.source.queries())
        corpus = self._items("corpus", self.source.corpus())
        tables = (judgements_table(batch) for batch in batches(self.source.judgements(), ROWS))
        found = judged(tables, queries.kept, corpus.kept, self.rejects)
        self.repeats["relevance"] = found.repeats
        self._without_positive(queries, found.without_positive)
        for part, n in (("queries", len(queries.kept)), ("corpus", len(corpus.kept))):
            if n == 0:
                why = (
                    ", ".join(f"{k} {v}" for k, v in self.rejects.counts().get(part, {}).items()) or "there are no rows"
                )
                raise DataError(f"{self.wanted.path}: none of its {part} can be used ({why})")
        return self._write(queries, corpus, found.relevance)

    def _items(self, part: str, items: Iterator[Item]) -> _Part:
        """Read the items of a part to disk; what cannot be used, or repeats an id, is rejected."""
        columns: dict[str, list[pa.ChunkedArray]] = {"id": [], "key": [], "reason": [], "shared": []}

        def tables() -> Iterator[pa.Table]:
            for batch in batches(items, ROWS):
                table = self.types.named(items_table(batch), asks=part == "queries")
                bad = table.filter(pc.is_valid(table.column("reason")))
                self.rejects.add(part, bad.column("id"), bad)
                for name, chunks in columns.items():
                    chunks.append(table.column(name))
                self.progress.advance(f"read {self.wanted.name}", len(table), len(table), len(bad), 0.0)
                yield table

        shards = self.staging / part
        write_dataset(shards, tables(), ITEMS, self.manifest(), self.staging)
        ids, keys, reasons, shared = (
            pa.chunked_array(chunks, ITEMS.field(name).type).combine_chunks() for name, chunks in columns.items()
        )
        fits = np.asarray(reasons.is_null().to_numpy(zero_copy_only=False))
        again = repeats(ids, fits)
        mistakes = again & (differ(ids, keys, fits) | ~shared.to_numpy(zero_copy_only=False))
        self.repeats[part] = int(again.sum() - mistakes.sum())
        found = _Part(shards, ids, fits & ~again)
        if mistakes.any():
            self._reject_repeats(part, shards, mistakes)
        return found

    def _reject_repeats(self, part: str, shards: Path, mistakes: Bools) -> None:
        start = 0
        for path in shard_paths(shards):
            table = pq.read_table(path, columns=["id", "where"])
            bad = table.filter(pa.array(mistakes[start : start + len(table)]))
            start += len(table)
            detail = pc.binary_join_element_wise(
                bad.column("where"), " has the id ", bad.column("id"), " of an earlier row, which counts", ""
            )
            self.rejects.add(part, bad.column("where"), bad, "duplicate_id", detail)

    def _without_positive(self, queries: _Part, lost: Ints) -> None:
        """Reject the kept queries for which nothing is relevant."""
        ids = queries.kept.take(pa.array(lost))
        bad = pa.table({"where": pa.nulls(len(lost), pa.string())})
        where = pa.concat_tables(queries.tables(["where"])).column("where").take(pa.array(lost))
        detail = pc.binary_join_element_wise(where, "nothing that can be used is judged relevant to it", ": ")
        self.rejects.add("queries", pa.chunked_array([ids]), bad, "no_positive_given", detail)
        queries.drop(lost)

    def _write(self, queries: _Part, corpus: _Part, relevance: pa.Table) -> dict[str, Any]:
        summary = self._summary(queries, corpus, relevance)
        with replacing_folder(self.folder, self.work) as staging:
            write = partial(write_dataset, manifest=self.manifest(), work=self.staging)
            for part, found, schema, name in (
                ("queries", queries, QUERIES, "query_id"),
                ("corpus", corpus, CORPUS, "doc_id"),
            ):
                renamed = (t.rename_columns([name if c == "id" else c for c in t.column_names]) for t in found.tables())
                write(staging / part, renamed, schema)
            write(staging / "relevance", relevance, RELEVANCE)
            write(staging / "rejected", with_unique_ids(self.rejects.table(), queries.kept), DATASET_REJECTED)
            write_json(
                staging / "dataset.json", self._spec(read_dataset(staging / "queries", ["task_type", "language"]))
            )
            write_json(staging / "summary.json", summary)
        return summary

    def _spec(self, used: pa.Table) -> dict[str, Any]:
        types, languages = (sorted(set(filter(None, used.column(c).unique().to_pylist()))) for c in used.column_names)
        return {
            "task": self.wanted.name,
            "instructions": {t: self.types.instructions[t] for t in types},
            "languages": languages,
            "in_batch_negatives": self.wanted.in_batch_negatives,
            "path": str(self.wanted.path),
        }

    def _summary(self, queries: _Part, corpus: _Part, relevance: pa.Table) -> dict[str, Any]:
        return {
            "queries": len(queries.kept),
            "documents": len(corpus.kept),
            "judgements": len(relevance),
            "rejected": self.rejects.counts(),
            "repeated": {part: n for part, n in self.repeats.items() if n},
            "fingerprint": self.key,
        }
