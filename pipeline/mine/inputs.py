"""Reads one synthesised data set, D = (I, Q, C, R), and checks that its parts fit together."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schemas
from pipeline.errors import DataError, UsageError
from pipeline.mine.judgements import MINED, SOURCES, Judgements
from pipeline.mine.ragged import Ints
from pipeline.store.fingerprint import fingerprint
from pipeline.store.shards import read_dataset, read_manifest

PARTS = ("queries", "corpus", "relevance")
UNDECIDED = "undecided"
MOST_TEXT_BYTES = 1 << 30  # of a column of plain strings
_TYPO = 0.8  # names that are more alike than this are taken for one another


@dataclass(frozen=True)
class Task:
    """A data set to mine. Documents stand in the order of their ids, queries as on disk: a
    position in either table names a row everywhere in this room."""

    name: str
    instructions: dict[str, str]  # by task type
    in_batch_negatives: bool
    queries: pa.Table
    corpus: pa.Table
    judgements: Judgements
    media_root: str | None  # a folder or a URL
    fingerprint: str  # of all it was read from


def choose_tasks(out: Path, wanted: list[str]) -> list[str]:
    """The tasks to mine: those asked for, or all that were synthesised (also `all`).

    Raises UsageError when one of them, or any at all, is not there.
    """
    known = sorted(p.parent.name for p in (out / "synth").glob("*/dataset.json"))
    return chosen(known, wanted, f"synthesised data set in {out / 'synth'}", "synth run --task", out)


def chosen(known: Sequence[str], wanted: Sequence[str], what: str, how: str, out: Path) -> list[str]:
    """Those of `known` that are wanted, each once; none, or `all`, means every one.

    Raises UsageError when one, or any at all, is not there, with `how` to make it, or with the
    name it was most likely meant to be.
    """
    missing = sorted(set(wanted) - {*known, "all"})
    if missing or not known:
        task = missing[0] if missing else "all"
        have = f"there are {', '.join(known)}" if known else "there is none"
        meant = difflib.get_close_matches(task, known, n=1, cutoff=_TYPO)
        fix = f"did you mean {meant[0]!r}?" if meant else f"run: {how} {task} --out {out}"
        raise UsageError(f"no {what} is called {task!r}, {have}; {fix}" if missing else f"no {what}, {have}; {fix}")
    return list(known) if not wanted or "all" in wanted else list(dict.fromkeys(wanted))


def read_task(folder: Path, media_root: str | None) -> Task:
    """Read a data set folder. media_root: takes the place of the one that the manifest names.

    Raises DataError when a part is missing, damaged or contradicts another.
    """
    spec_path = folder / "dataset.json"
    spec = _spec(spec_path)
    queries, corpus, relevance = (read_dataset(folder / part) for part in PARTS)
    manifests = [read_manifest(folder / part) for part in (*PARTS, UNDECIDED)]
    # Data sets from elsewhere have none.
    undecided = read_dataset(folder / UNDECIDED) if manifests[-1] else schemas.UNDECIDED.empty_table()
    for table, key in ((queries, "query_id"), (corpus, "doc_id")):
        _check_ids(table, key, folder)
    if max(queries.column("text").nbytes, corpus.column("text").nbytes) > MOST_TEXT_BYTES:
        queries, corpus = _with_large_text(queries), _with_large_text(corpus)
    corpus = corpus.take(pc.sort_indices(corpus.column("doc_id")))
    without = set(queries.column("task_type").to_pylist()) - set(spec["instructions"])
    if without:
        raise DataError(f"{spec_path} has no instruction for task type {min(map(str, without))!r}; run synth again")
    root = media_root or next((m.media_root for m in manifests if m and m.media_root), None)
    return Task(
        name=str(spec["task"]),
        instructions=spec["instructions"],
        in_batch_negatives=bool(spec["in_batch_negatives"]),
        queries=queries.combine_chunks(),
        corpus=corpus.combine_chunks(),
        judgements=_judgements(queries, corpus, relevance, undecided, folder),
        media_root=root,
        fingerprint=fingerprint(spec=spec, parts=[(m.fingerprint, m.rows) for m in manifests if m], media_root=root),
    )


def _with_large_text(table: pa.Table) -> pa.Table:
    """The same rows; their texts may take more than the 2 GiB that offsets of 32 bits reach."""
    return table.set_column(table.column_names.index("text"), "text", table.column("text").cast(pa.large_string()))


def _spec(path: Path) -> dict[str, dict[str, str]]:
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); run synth again") from error
    missing = [k for k in ("task", "instructions", "in_batch_negatives") if not isinstance(spec, dict) or k not in spec]
    if missing:
        raise DataError(f"{path} lacks {missing[0]!r}; run synth again")
    if not isinstance(spec["instructions"], dict):
        raise DataError(f"{path}: 'instructions' is not an object of task type: text; run synth again")
    return dict(spec)


def _check_ids(table: pa.Table, key: str, folder: Path) -> None:
    ids = table.column(key)
    if ids.null_count or pc.count_distinct(ids).as_py() != len(table):
        repeated = [c["values"] for c in pc.value_counts(ids).to_pylist() if c["counts"] > 1 or c["values"] is None]
        raise DataError(f"{folder}: {key} {repeated[0]!r} stands in more than one row, or is null; ids must be unique")


def _positions(queries: pa.Table, corpus: pa.Table, pairs: pa.Table, where: Path) -> tuple[Ints, Ints]:
    """Rows of the query and of the document of each pair, int64 [P] each."""
    columns = []
    for key, table in (("query_id", queries), ("doc_id", corpus)):
        position = pc.index_in(pairs.column(key), table.column(key).combine_chunks())
        if position.null_count:
            lost = pairs.filter(pc.is_null(position)).column(key)[0].as_py()
            raise DataError(f"{where} names {key} {lost!r}, which does not exist; run synth again")
        columns.append(position.to_numpy().astype(np.int64))
    return columns[0], columns[1]


def _judgements(
    queries: pa.Table, corpus: pa.Table, relevance: pa.Table, undecided: pa.Table, folder: Path
) -> Judgements:
    query, document = _positions(queries, corpus, relevance, folder / "relevance")
    source = pc.index_in(relevance.column("source"), pa.array(SOURCES[:MINED]))
    grade = relevance.column("relevance")
    if (
        source.null_count
        or grade.null_count
        or not pc.all(pc.is_in(grade, pa.array([0, 1], grade.type)), min_count=0).as_py()
    ):
        raise DataError(f"{folder / 'relevance'}: relevance must be 0 or 1, source one of {', '.join(SOURCES[:MINED])}")
    positive = pc.equal(grade, 1).to_numpy(zero_copy_only=False)
    try:
        return Judgements.of(
            query,
            document,
            positive,
            source.to_numpy().astype(np.uint8),
            len(queries),
            len(corpus),
            _positions(queries, corpus, undecided, folder / UNDECIDED),
        )
    except ValueError as error:
        raise DataError(f"{folder / 'relevance'}: {error}") from error
