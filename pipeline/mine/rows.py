"""Positions and scores -> the rows of `train` and `rejected`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import MineSettings
from pipeline.mine.credits import sources
from pipeline.mine.inputs import Task
from pipeline.mine.judgements import MINED, RANDOM, SOURCES
from pipeline.mine.pool import Judged
from pipeline.mine.ragged import Ints
from pipeline.mine.refine import AMBIGUOUS, KEPT, NO_POSITIVE_IN_TOP_K, OVER_TYPE_QUOTA, REASONS
from pipeline.mine.settle import Part
from pipeline.schemas import CONTENT, JUDGED, MINE_REJECTED, TRAIN

STAGE = "refine"


@dataclass(frozen=True)
class Rows:
    """The tables of a task, with the parts that every row shares made once."""

    task: Task
    groups: pa.Array  # group_id of each document
    queries: pa.StructArray  # content of each query
    documents: pa.StructArray  # content of each document
    assets: pa.Table  # the seed pool, labels.ASSET_COLUMNS

    @classmethod
    def of(cls, task: Task, group: Ints, assets: pa.Table) -> Rows:
        """group: int64 [N], the position of the document that names each one's group."""
        ids = task.corpus.column("doc_id").combine_chunks()
        return cls(task, ids.take(pa.array(group)), _contents(task.queries), _contents(task.corpus), assets)

    def train(self, part: Part) -> pa.Table:
        """The kept queries of a sub-dataset, in the order of its rows."""
        refined, task = part.mined.refined, self.task
        kept = np.flatnonzero(refined.verdicts == KEPT)
        rows = part.query_rows[kept]
        queries = task.queries.take(pa.array(rows))
        n = len(kept)
        columns = {
            "query_id": queries.column("query_id"),
            "instruction": _looked_up(task.instructions, queries.column("task_type")),
            "query": self.queries.take(pa.array(rows)),
            "positives": self._judged(refined.positives, part.query_rows, kept),
            "negatives": self._judged(refined.negatives, part.query_rows, kept),
            "positive_mean": pa.array(refined.mean[kept], pa.float32()),
            "in_batch_negatives": pa.array(np.full(n, task.in_batch_negatives)),
            "task": pa.array([task.name]).take(pa.array(np.zeros(n, np.int64))),
            "task_type": queries.column("task_type"),
            "language": queries.column("language"),
            "asset_id": queries.column("asset_id"),
        }
        table = pa.table(columns)
        return table.append_column("sources", sources(table, self.assets)).cast(TRAIN)

    def rejected(self, part: Part, settings: MineSettings) -> pa.Table:
        """The rejected queries of a sub-dataset, each with what was measured and the limit it missed."""
        refined = part.mined.refined
        lost = np.flatnonzero(refined.verdicts != KEPT)
        details = [self._detail(part, i, settings) for i in lost.tolist()]
        ids = self.task.queries.column("query_id").take(pa.array(part.query_rows[lost]))
        reasons = pa.array(REASONS).take(pa.array(refined.verdicts[lost]))
        stage = pa.array([STAGE] * len(lost), pa.string())
        return pa.table([ids, stage, reasons, pa.array(details, pa.string())], schema=MINE_REJECTED)

    def _detail(self, part: Part, i: int, settings: MineSettings) -> str:
        refined, best, searched = part.mined.refined, part.mined.labelled_best[i], len(part.document_rows)
        verdict, limits = refined.verdicts[i], settings.guards
        if verdict == AMBIGUOUS:
            near = f"{refined.rivals[i]} documents score within {limits.rival_epsilon:g} of the mean positive, or more"
            return f"{near}; limit {limits.max_rivals}"
        if verdict == OVER_TYPE_QUOTA:
            return f"{part.task_type} keeps {settings.max_queries_per_type} queries"
        if verdict != NO_POSITIVE_IN_TOP_K:
            found = f"best positive scores {refined.best_score[i]:.3f} at rank {refined.best_rank[i]}"
            return f"{found}, t+ {settings.t_pos:g}"
        if np.isnan(best):
            labelled = self.task.judgements.positives.lengths[part.query_rows[i]]
            return f"none of {labelled} labelled positives is among {searched} documents to search"
        return f"best positive scores {best:.3f}, not among the first {settings.top_k} of {searched} documents"

    def unreadable(self, rows: Ints, reject: NDArray[np.object_]) -> pa.Table:
        """The queries `rows` that could not be embedded, with the reject each got."""
        ids = self.task.queries.column("query_id").take(pa.array(rows))
        why = [[r[key] for r in reject] for key in ("stage", "reason", "detail")]
        return pa.table([ids, *(pa.array(w, pa.string()) for w in why)], schema=MINE_REJECTED)

    def _judged(self, judged: Judged, query_rows: Ints, kept: Ints) -> pa.ListArray:
        """The lists of the queries `kept`; rejected ones hold nothing, so the values need no filter."""
        documents = pa.array(judged.documents)
        ranks = pa.array(judged.ranks, pa.int32(), mask=judged.ranks == 0)
        values = pa.StructArray.from_arrays(
            [
                self.task.corpus.column("doc_id").combine_chunks().take(documents),
                pa.array(judged.scores, pa.float32()),
                ranks,
                _logits(judged),
                self._sources(judged, query_rows),
                self.groups.take(documents),
                self.documents.take(documents).cast(CONTENT),
            ],
            fields=list(JUDGED),
        )
        offsets = np.append(judged.offsets[kept], judged.offsets[-1]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), values)

    def _sources(self, judged: Judged, query_rows: Ints) -> pa.Array:
        """Who says so; a document that nobody judged nor recalled was drawn at random."""
        source = self.task.judgements.source_of(query_rows[judged.rows], judged.documents)
        if (judged.ranks > 0).all():
            return source
        drawn = pc.and_(pa.array(judged.ranks == 0), pc.equal(source, SOURCES[MINED]))
        return pc.if_else(drawn, RANDOM, source)


def _logits(judged: Judged) -> pa.Array:
    if judged.logits is None:
        return pa.nulls(len(judged.documents), pa.float32())
    return pa.array(judged.logits, pa.float32(), mask=np.isnan(judged.logits))


def in_query_order(tables: list[pa.Table], queries: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows of all tables in the order of their queries on disk."""
    table = pa.concat_tables([schema.empty_table(), *tables])
    order = pc.index_in(table.column("query_id"), queries.column("query_id").combine_chunks())
    return table.take(pc.sort_indices(order))


def _contents(table: pa.Table) -> pa.StructArray:
    names = [f.name for f in CONTENT]
    return pa.StructArray.from_arrays([table.column(n).combine_chunks() for n in names], names)


def _looked_up(values: dict[str, str], column: pa.ChunkedArray) -> pa.Array:
    at = pc.index_in(column, pa.array(list(values), pa.string()))
    return pa.array(list(values.values()), pa.string()).take(at.combine_chunks())
