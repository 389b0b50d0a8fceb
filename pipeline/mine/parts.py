"""One task with its vectors -> its sub-datasets, mined and settled. No files; a reranker where there is one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Calibration, Config, GuardSettings
from pipeline.mine import groups, judging, labels
from pipeline.mine.embed import Embedded
from pipeline.mine.guards import Documents, Guards, Queries
from pipeline.mine.inputs import Task
from pipeline.mine.keys import Marks
from pipeline.mine.mine_vectors import SubDataset, mine_vectors
from pipeline.mine.ragged import Bools, Ints, Ragged
from pipeline.mine.refine import KEPT
from pipeline.mine.rerank import PairScorer, with_logits
from pipeline.mine.settle import Part, settled
from pipeline.models.protocols import Vectors
from pipeline.schemas import RELEVANCE
from pipeline.stage import Progress, Runner

SUB_DATASET = ("task_type", "language")
MOMENTS = "moment_retrieval"  # the task whose documents are spans of one file


@dataclass(frozen=True)
class How:
    """What mining of any task is told."""

    config: Config
    score_map: Calibration  # from cosines to scores
    run: Runner
    progress: Progress


@dataclass(frozen=True)
class MinedParts:
    """What mining made of a task.

    task: with the positives that a judge made. promoted: those as rows of `relevance`. asked: pairs that
    the judge was asked about.
    """

    task: Task
    parts: list[Part]
    promoted: pa.Table
    asked: int


def mine_parts(
    task: Task, documents: Documents, queries: Embedded, corpus: Embedded, scorer: PairScorer | None, how: How
) -> MinedParts:
    """Mine every sub-dataset, settle them together, and once more where a judge may make positives."""
    settings, promoted = how.config.mine, RELEVANCE.empty_table()
    ids = [t.column(c).combine_chunks() for t, c in ((task.queries, "query_id"), (task.corpus, "doc_id"))]
    marks = Marks.of(ids[0], ids[1], documents.group, how.config.seed)
    judge = judging.judge_of(task, scorer, settings.judge)
    mined = settled(_proposed(task, documents, queries, corpus, marks, how), settings, marks, judge)
    asked = [mined.asked]
    if settings.judge.promote and len(mined.relevant[0]):
        promoted, task = judging.promoted(task, mined), judging.with_promoted(task, mined)
        mined = settled(_proposed(task, documents, queries, corpus, marks, how), settings, marks, judge)
        asked.append(mined.asked)
    parts = mined.parts if scorer is None else with_logits(mined.parts, scorer)
    pairs = np.concatenate([query * len(task.corpus) + document for query, document in asked])
    return MinedParts(task, parts, promoted, len(np.unique(pairs)))


def documents_of(
    task: Task, corpus: Embedded, fingerprints: Ragged, assets: pa.Table, limits: GuardSettings
) -> Documents:
    """What the guards know of a task's documents. fingerprints: perceptual hashes of each one's frames."""
    content = labels.content_labels(task.corpus)
    group = groups.near_duplicate_groups(content, corpus.vectors, corpus.readable, fingerprints, limits)
    source = labels.source_labels(task.corpus, labels.file_hashes(task.corpus, assets))
    nouns = labels.nouns(task.corpus) if limits.related_label else None
    return Documents(content, group, source, *labels.spans(task.corpus), nouns)


def _proposed(
    task: Task, documents: Documents, queries: Embedded, corpus: Embedded, marks: Marks, how: How
) -> list[Part]:
    """Every sub-dataset, mined by itself."""
    parts = []
    guards = _guards(task, documents, queries, how.config.mine.guards)
    stage = f"mine {task.name}"
    how.progress.begin([stage], len(task.queries))
    try:
        for task_type, language, data in _sub_datasets(task, queries, corpus):
            started = time.perf_counter()
            mined = mine_vectors(data, task.judgements, guards, how.config.mine, how.score_map, how.run, marks)
            parts.append(Part(task_type, language, data.query_rows, data.document_rows, mined))
            n, lost = len(data.query_rows), int((mined.refined.verdicts != KEPT).sum())
            how.progress.advance(stage, n, n, lost, time.perf_counter() - started)
    finally:
        how.progress.end()
    return parts


def _guards(task: Task, documents: Documents, queries: Embedded, limits: GuardSettings) -> Guards:
    known = task.judgements
    same = labels.content_labels(task.queries)
    asked = Queries(same, groups.similar_queries(same, queries.vectors, queries.readable, limits))
    return Guards(asked, known.positives, documents, task.name == MOMENTS, limits, known.undecided)


def _sub_datasets(task: Task, queries: Embedded, corpus: Embedded) -> Iterator[tuple[str, str | None, SubDataset]]:
    """Task type x language, in order; documents without a task type or language serve all."""
    kinds = set(zip(*(task.queries.column(c).to_pylist() for c in SUB_DATASET), strict=True))
    for kind in sorted(kinds, key=lambda k: (k[0], k[1] or "")):
        asks, serves = queries.readable.copy(), corpus.readable.copy()
        for column, wanted in zip(SUB_DATASET, kind, strict=True):
            asks &= _equals(task.queries.column(column), wanted)
            serves &= _equals(task.corpus.column(column), wanted) | _equals(task.corpus.column(column), None)
        rows, documents = np.flatnonzero(asks), np.flatnonzero(serves)
        yield *kind, SubDataset(_taken(queries.vectors, rows), _taken(corpus.vectors, documents), rows, documents)


def _taken(vectors: Vectors, rows: Ints) -> Vectors:
    """The vectors of some rows (rising); of neighbours without a copy."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return vectors[rows[0] : rows[-1] + 1]
    return vectors[rows]


def _equals(column: pa.ChunkedArray, wanted: str | None) -> Bools:
    mask = pc.is_null(column) if wanted is None else pc.fill_null(pc.equal(column, wanted), False)
    return np.asarray(mask.to_numpy())
