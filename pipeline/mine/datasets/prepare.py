"""Somebody's data set -> our own layout on disk, with a reject for every row that cannot be used.

Items stream through working shards; memory holds their ids and the positions of the judged pairs.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.atomic import replacing_folder
from pipeline.errors import DataError
from pipeline.mine.datasets.items import ITEMS, JUDGEMENTS, Item, items_table, judgements_table
from pipeline.mine.datasets.layouts import Layout, Pairs
from pipeline.mine.datasets.pairs import PairsSource
from pipeline.mine.datasets.retrieval import RetrievalSource
from pipeline.mine.datasets.several import Several
from pipeline.mine.datasets.source import Reading, Source, batches
from pipeline.mine.datasets.task_types import TaskTypes
from pipeline.mine.ragged import Bools, Ints
from pipeline.schemas import CORPUS, DATASET_REJECTED, QUERIES, RELEVANCE
from pipeline.stage import Progress
from pipeline.store.fingerprint import code_of, fingerprint
from pipeline.store.shards import Manifest, finished, read_dataset, regrouped, shard_paths, write_dataset, write_json

STAGE = "read"
PARTS = ("queries", "corpus", "relevance", "rejected")
ROWS = 8192
JUDGED_AT_ONCE = 500_000  # pairs whose ids are looked up together


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

    def tables(self) -> Iterator[pa.Table]:
        """The kept items."""
        start = 0
        for path in shard_paths(self.shards):
            table = pq.read_table(path)
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
        self.rejected: list[pa.Table] = [DATASET_REJECTED.empty_table()]
        self.repeats: dict[str, int] = {}

    def run(self) -> dict[str, Any]:
        """Read, check and write."""
        queries = self._items("queries", self.source.queries())
        corpus = self._items("corpus", self.source.corpus())
        relevance, lost = self._relevance(queries, corpus)
        self._without_positive(queries, lost)
        for part, n in (("queries", len(queries.kept)), ("corpus", len(corpus.kept))):
            if n == 0:
                why = ", ".join(f"{k} {v}" for k, v in self._reasons().get(part, {}).items()) or "there are no rows"
                raise DataError(f"{self.wanted.path}: none of its {part} can be used ({why})")
        return self._write(queries, corpus, relevance)

    def _items(self, part: str, items: Iterator[Item]) -> _Part:
        """Read the items of a part to disk; what cannot be used, or repeats an id, is rejected."""
        columns: dict[str, list[pa.ChunkedArray]] = {"id": [], "key": [], "reason": []}

        def tables() -> Iterator[pa.Table]:
            for batch in batches(items, ROWS):
                table = self.types.named(items_table(batch), asks=part == "queries")
                bad = table.filter(pc.is_valid(table.column("reason")))
                self._reject(part, bad.column("id"), bad)
                for name, chunks in columns.items():
                    chunks.append(table.column(name))
                self.progress.advance(f"read {self.wanted.name}", len(table), len(table), len(bad), 0.0)
                yield table

        shards = self.staging / part
        write_dataset(shards, tables(), ITEMS, self.manifest(), self.staging)
        ids, keys, reasons = (pa.chunked_array(chunks, pa.string()).combine_chunks() for chunks in columns.values())
        fits = np.asarray(reasons.is_null().to_numpy(zero_copy_only=False))
        again = _again(ids, fits)
        mistakes = again if not self.source.merges else again & _differ(ids, keys, fits)
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
            self._reject(part, bad.column("where"), bad, "duplicate_id", detail)

    def _reject(
        self, part: str, ids: pa.ChunkedArray, rows: pa.Table, reason: str | None = None, detail: Any = None
    ) -> None:
        n = len(rows)
        columns = {
            "part": pa.array([part] * n, pa.string()),
            "id": ids,
            "place": rows.column("where"),
            "stage": pa.array([STAGE] * n, pa.string()),
            "reason": rows.column("reason") if reason is None else pa.array([reason] * n, pa.string()),
            "detail": rows.column("detail") if detail is None else detail,
        }
        if n:
            self.rejected.append(pa.table(columns).cast(DATASET_REJECTED))

    def _relevance(self, queries: _Part, corpus: _Part) -> tuple[pa.Table, Ints]:
        """The judgements of kept pairs, each once, as positions; and the kept queries without a positive."""
        positions: list[Any] = []
        tables = (judgements_table(batch) for batch in batches(self.source.judgements(), ROWS))
        for table in regrouped(chain([JUDGEMENTS.empty_table()], tables), JUDGED_AT_ONCE):
            bad = table.filter(pc.is_valid(table.column("reason")))
            self._reject("relevance", bad.column("query_id"), bad)
            positions.append(self._known(table.filter(pc.is_null(table.column("reason"))), queries, corpus))
        query, document = (np.concatenate([np.zeros(0, np.int64), *(p[i] for p in positions)]) for i in (0, 1))
        relevant = np.concatenate([np.zeros(0, bool), *(p[2] for p in positions)])
        query, document, relevant = self._once(query, document, relevant, queries, corpus)
        with_positive = np.zeros(len(queries.kept), bool)
        with_positive[query[relevant]] = True
        stays = with_positive[query]
        table = pa.table(
            {
                "query_id": queries.kept.take(pa.array(query[stays])),
                "doc_id": corpus.kept.take(pa.array(document[stays])),
                "relevance": pa.array(relevant[stays].astype(np.int8)),
                "source": pa.array(np.full(int(stays.sum()), "given"), pa.string()),
            }
        )
        return table, np.flatnonzero(~with_positive)

    def _known(self, table: pa.Table, queries: _Part, corpus: _Part) -> tuple[Ints, Ints, Bools]:
        """Positions of the pairs whose query and document are kept; the others are rejected."""
        found = []
        stays = np.ones(len(table), bool)
        for part, column, name in ((queries, "query_id", "query"), (corpus, "doc_id", "document")):
            at = pc.index_in(table.column(column), part.kept)
            lost = np.asarray(at.is_null().to_numpy(zero_copy_only=False)) & stays
            if lost.any():
                bad = table.filter(pa.array(lost))
                why = f" names {name} ", ", which does not exist or was rejected"
                detail = pc.binary_join_element_wise(bad.column("where"), why[0], bad.column(column), why[1], "")
                self._reject("relevance", bad.column("query_id"), bad, f"unknown_{name}", detail)
            stays &= ~lost
            found.append(pc.fill_null(at, 0).to_numpy().astype(np.int64))
        relevant = np.asarray(table.column("relevant").to_numpy(), bool)
        return found[0][stays], found[1][stays], relevant[stays]

    def _once(
        self, query: Ints, document: Ints, relevant: Bools, queries: _Part, corpus: _Part
    ) -> tuple[Ints, Ints, Bools]:
        """Each pair once, as positive where anybody says so; a pair that is both is counted."""
        keys = query * max(len(corpus.kept), 1) + document
        order = np.lexsort((~relevant, keys))
        first = np.append(True, np.diff(keys[order]) != 0)[: len(keys)]
        clash = (
            ~first & ~relevant[order] & relevant[order][np.maximum.accumulate(np.where(first, np.arange(len(keys)), 0))]
        )
        self.repeats["relevance"] = int((~first).sum() - clash.sum())
        if clash.any():
            rows = order[clash]
            ids = [part.kept.take(pa.array(at[rows])) for part, at in ((queries, query), (corpus, document))]
            detail = pc.binary_join_element_wise(
                "document ", ids[1], " is judged relevant and irrelevant; relevant counts", ""
            )
            bad = pa.table({"where": pa.nulls(len(rows), pa.string())})
            self._reject("relevance", ids[0], bad, "contradiction", detail)
        chosen = np.sort(order[first])
        return query[chosen], document[chosen], relevant[chosen]

    def _without_positive(self, queries: _Part, lost: Ints) -> None:
        """Reject the kept queries for which nothing is relevant."""
        ids = queries.kept.take(pa.array(lost))
        bad = pa.table({"where": pa.nulls(len(lost), pa.string())})
        detail = pa.array(["no judgement above 0 names it with a document that can be used"] * len(lost), pa.string())
        self._reject("queries", pa.chunked_array([ids]), bad, "no_positive_given", detail)
        queries.drop(lost)

    def _reasons(self) -> dict[str, dict[str, int]]:
        counts: dict[str, Counter[str]] = {}
        for table in self.rejected:
            for part, reason in zip(table.column("part").to_pylist(), table.column("reason").to_pylist(), strict=True):
                counts.setdefault(part, Counter())[reason] += 1
        return {part: dict(sorted(c.items())) for part, c in counts.items()}

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
            write(
                staging / "rejected", _with_unique_ids(pa.concat_tables(self.rejected), queries.kept), DATASET_REJECTED
            )
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
            "rejected": self._reasons(),
            "repeated": {part: n for part, n in self.repeats.items() if n},
            "fingerprint": self.key,
        }


def _again(ids: pa.Array, fits: Bools) -> Bools:
    """Which rows repeat the id of an earlier row that fits, bool [N]; rows that do not fit are no repeats."""
    rows = np.flatnonzero(fits)
    codes = ids.take(pa.array(rows)).dictionary_encode().indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    again = fits.copy()
    again[rows[first]] = False
    return again


def _differ(ids: pa.Array, keys: pa.Array, fits: Bools) -> Bools:
    """Which rows that fit have another key than the first of their id, bool [N]."""
    rows = np.flatnonzero(fits)
    codes = ids.take(pa.array(rows)).dictionary_encode().indices.to_numpy()
    labels = keys.take(pa.array(rows)).dictionary_encode().indices.to_numpy()
    _, first, of = np.unique(codes, return_index=True, return_inverse=True)
    answer = np.zeros(len(ids), bool)
    answer[rows] = labels != labels[first[of]]
    return answer


def _with_unique_ids(rejected: pa.Table, kept: pa.Array) -> pa.Table:
    """Rejected queries under ids that no other query has: a second one of an id is named by where it stands."""
    whole = rejected.filter(pc.invert(pc.equal(rejected.column("part"), "queries")))
    # Those without a place lost their positives, and had an id of their own.
    queries = rejected.filter(pc.equal(rejected.column("part"), "queries"))
    queries = queries.take(pc.sort_indices(pc.is_valid(queries.column("place")).cast(pa.int8())))
    ids = queries.column("id").combine_chunks()
    name = pc.coalesce(queries.column("place").combine_chunks(), ids)
    while (again := _again(pa.concat_arrays([kept, ids]), np.ones(len(kept) + len(ids), bool))[len(kept) :]).any():
        ids = pc.if_else(pa.array(again), name, ids)
        name = pc.binary_join_element_wise(name, "*", "")
    queries = queries.set_column(queries.column_names.index("id"), "id", ids)
    return pa.concat_tables([queries, whole])
