"""Judgements of pairs -> the table of relevance: each pair once, and only of what can be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.mine.datasets.items import JUDGEMENTS
from pipeline.mine.datasets.rejects import Rejects
from pipeline.mine.ragged import Bools, Ints
from pipeline.store.shards import regrouped

AT_ONCE = 500_000  # pairs whose ids are looked up together


@dataclass(frozen=True)
class Judged:
    """What is known of the pairs of a data set."""

    relevance: pa.Table  # columns RELEVANCE; of queries with a positive only
    without_positive: Ints  # positions of queries
    repeats: int  # judgements that say again what was said


def judged(tables: Iterable[pa.Table], queries: pa.Array, corpus: pa.Array, rejects: Rejects) -> Judged:
    """Gather the judgements (columns JUDGEMENTS) of `queries` and `corpus`, ids that can be used, string [N].

    A pair that anybody calls relevant is relevant. Rejected are judgements of another id, those with a
    reason, and those that contradict one that counts.
    """
    known = [_Pairs.empty()]
    for table in regrouped(chain([JUDGEMENTS.empty_table()], tables), AT_ONCE):
        bad = table.filter(pc.is_valid(table.column("reason")))
        rejects.add("relevance", bad.column("query_id"), bad)
        known.append(_known(table.filter(pc.is_null(table.column("reason"))), queries, corpus, rejects))
    pairs, repeats = _once(_Pairs.of(known), queries, corpus, rejects)
    with_positive = np.zeros(len(queries), bool)
    with_positive[pairs.query[pairs.relevant]] = True
    stays = with_positive[pairs.query]
    relevance = pa.table(
        {
            "query_id": queries.take(pa.array(pairs.query[stays])),
            "doc_id": corpus.take(pa.array(pairs.document[stays])),
            "relevance": pa.array(pairs.relevant[stays].astype(np.int8)),
            "source": pa.array(np.full(int(stays.sum()), "given"), pa.string()),
        }
    )
    return Judged(relevance, np.flatnonzero(~with_positive), repeats)


@dataclass(frozen=True)
class _Pairs:
    """Judged pairs as positions."""

    query: Ints
    document: Ints
    relevant: Bools

    @classmethod
    def empty(cls) -> _Pairs:
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool))

    @classmethod
    def of(cls, parts: list[_Pairs]) -> _Pairs:
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("query", "document", "relevant")))

    def take(self, rows: Ints | Bools) -> _Pairs:
        return _Pairs(self.query[rows], self.document[rows], self.relevant[rows])


def _known(table: pa.Table, queries: pa.Array, corpus: pa.Array, rejects: Rejects) -> _Pairs:
    """The pairs whose query and document can be used; the others are rejected."""
    positions, stays = [], np.ones(len(table), bool)
    for ids, column, name in ((queries, "query_id", "query"), (corpus, "doc_id", "document")):
        at = pc.index_in(table.column(column), ids)
        lost = np.asarray(at.is_null().to_numpy(zero_copy_only=False)) & stays
        if lost.any():
            bad = table.filter(pa.array(lost))
            why = f" names {name} ", ", which does not exist or was rejected"
            detail = pc.binary_join_element_wise(bad.column("where"), why[0], bad.column(column), why[1], "")
            rejects.add("relevance", bad.column("query_id"), bad, f"unknown_{name}", detail)
        stays &= ~lost
        positions.append(pc.fill_null(at, 0).to_numpy().astype(np.int64))
    query, document = positions
    return _Pairs(query, document, np.asarray(table.column("relevant").to_numpy(), bool)).take(stays)


def _once(pairs: _Pairs, queries: pa.Array, corpus: pa.Array, rejects: Rejects) -> tuple[_Pairs, int]:
    """Each pair once, in the order in which they came first, and the number of those that say nothing new."""
    keys = pairs.query * max(len(corpus), 1) + pairs.document
    order = np.lexsort((~pairs.relevant, keys))  # of each pair the relevant ones first
    first = np.append(True, np.diff(keys[order]) != 0)[: len(keys)]
    counts = pairs.relevant[order][np.maximum.accumulate(np.where(first, np.arange(len(keys)), 0))]
    clash = ~first & counts & ~pairs.relevant[order]
    if clash.any():
        lost = pairs.take(order[clash])
        documents = corpus.take(pa.array(lost.document))
        said = pc.binary_join_element_wise(
            "document ", documents, " is judged relevant and irrelevant; relevant counts", ""
        )
        nowhere = pa.table({"where": pa.nulls(len(documents), pa.string())})
        rejects.add("relevance", queries.take(pa.array(lost.query)), nowhere, "contradiction", said)
    return pairs.take(np.sort(order[first])), int((~first).sum() - clash.sum())
