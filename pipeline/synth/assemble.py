"""Examples -> D = (I, Q, C, R): queries, corpus, relevance, and every asset accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.config import SynthSettings
from pipeline.schemas import CORPUS, QUERIES, RELEVANCE, SYNTH_REJECTED, UNDECIDED
from pipeline.stage import dead, live
from pipeline.synth.answers import judge_answers
from pipeline.synth.drafts import Asked, Judged, Rows, asked, drafts, text_id
from pipeline.synth.near_duplicates import without_near_duplicates
from pipeline.synth.subjects import of_medium
from pipeline.synth.targets import judge_targets
from pipeline.synth.task import TaskSpec

NAME = "assemble"


@dataclass(frozen=True)
class Assembled:
    """The tables of one synthesised task."""

    queries: pa.Table  # schemas.QUERIES
    corpus: pa.Table  # schemas.CORPUS
    relevance: pa.Table  # schemas.RELEVANCE
    undecided: pa.Table  # schemas.UNDECIDED
    rejected: pa.Table  # schemas.SYNTH_REJECTED


def assemble(spec: TaskSpec, checked: pa.Table, assets: pa.Table, settings: SynthSettings) -> Assembled:
    """Turn the result of the check stage into a data set.

    checked: rows with ADDS of annotation, `language`, `segments` and `reject`. assets: the whole
    pool, schemas.ASSETS. Every asset of the task's medium ends with a query or a reject.
    """
    pool = of_medium(assets, spec)
    written = drafts(spec, live(checked))
    queries, refused = asked(spec, written)
    queries, alike = without_near_duplicates(spec, queries, settings.checks.near_duplicate_share)
    refused += alike
    if spec.document == "text":
        corpus = _texts(spec, queries)
        places = {document["doc_id"]: position for position, document in enumerate(corpus)}
        judged = judge_answers(spec, queries, written, places, pool, settings.facts)
    else:
        corpus = _media(pool)
        judged = judge_targets(queries, pool, settings)
    rejected = [
        *({n: r[n] for n in SYNTH_REJECTED.names} for r in dead(checked).to_pylist()),
        *({"asset_id": r.draft.asset_id, "stage": NAME, "reason": r.reason, "detail": r.detail} for r in refused),
    ]
    rejected += _grouped(pool, {q.first.asset_id for q in queries}, {r["asset_id"] for r in rejected})
    documents = pa.Table.from_pylist(corpus, schema=CORPUS)
    pairs = _Pairs(pa.array([q.query_id for q in queries], pa.string()), documents.column("doc_id"))
    return Assembled(
        pa.Table.from_pylist(_queries(spec, queries, pool), schema=QUERIES),
        documents,
        pairs.relevance(judged, [q.first.source for q in queries]),
        pairs.undecided(judged),
        pa.Table.from_pylist(rejected, schema=SYNTH_REJECTED),
    )


def _content(asset: dict[str, Any]) -> dict[str, Any]:
    return {asset["media"]: asset["uri"], "start_s": asset["start_s"], "end_s": asset["end_s"]}


def _queries(spec: TaskSpec, queries: Sequence[Asked], pool: pa.Table) -> list[dict[str, Any]]:
    places = {a["asset_id"]: a for a in pool.select(["asset_id", "uri", "media", "start_s", "end_s"]).to_pylist()}
    return [
        {
            "query_id": q.query_id,
            "text": q.first.example.query_text,
            **({} if spec.query == "text" else _content(places[q.first.asset_id])),
            "asset_id": q.first.asset_id,
            "task_type": q.first.task_type,
            "language": q.first.language,
        }
        for q in queries
    ]


def _texts(spec: TaskSpec, queries: Sequence[Asked]) -> list[dict[str, Any]]:
    """Each text of a draft that stands once a sub-dataset, in the spelling that comes first."""
    documents: dict[str, dict[str, Any]] = {}
    for draft in (q.first for q in queries):
        for text in (draft.example.positive_text, draft.example.negative_text):
            if text is not None:
                doc_id = text_id(spec, draft.sub_dataset, text)
                row = {"doc_id": doc_id, "text": text, "task_type": draft.task_type, "language": draft.language}
                documents.setdefault(doc_id, row)
    return list(documents.values())


def _media(pool: pa.Table) -> list[dict[str, Any]]:
    """All assets of the medium, also those without a query; they serve every sub-dataset."""
    rows = pool.select(["asset_id", "uri", "media", "start_s", "end_s"]).to_pylist()
    return [{"doc_id": a["asset_id"], **_content(a), "asset_id": a["asset_id"]} for a in rows]


@dataclass(frozen=True)
class _Pairs:
    """Writes what was judged as columns: there may be millions of pairs."""

    query_ids: pa.Array
    doc_ids: pa.ChunkedArray

    def relevance(self, judged: Sequence[Judged], sources: Sequence[str]) -> pa.Table:
        """Rows of schemas.RELEVANCE: of each query its positives, then its negatives. sources: of each query."""
        parts = [rows for j in judged for rows in (j.positives, j.negatives)]
        codes = np.tile(np.array([1, 0], np.int8), len(judged))
        columns = self._columns(np.repeat(np.arange(len(judged)), 2), parts)
        relevance = np.repeat(codes, [len(p) for p in parts])
        said = np.repeat(np.arange(len(judged)), [len(j.positives) + len(j.negatives) for j in judged])
        source = pa.array(sources, pa.string()).take(pa.array(said, pa.int64()))
        return pa.table([*columns, relevance, source], schema=RELEVANCE)

    def undecided(self, judged: Sequence[Judged]) -> pa.Table:
        """Rows of schemas.UNDECIDED."""
        return pa.table(self._columns(np.arange(len(judged)), [j.undecided for j in judged]), schema=UNDECIDED)

    def _columns(self, queries: Rows, parts: Sequence[Rows]) -> list[pa.Array]:
        """query_id and doc_id of each pair; `queries` says whose each part is."""
        documents = np.concatenate([np.empty(0, np.int64), *parts])
        return [
            self.query_ids.take(pa.array(np.repeat(queries, [len(p) for p in parts]))),
            self.doc_ids.take(pa.array(documents)),
        ]


def _grouped(pool: pa.Table, answered: set[str], rejected: set[str]) -> list[dict[str, Any]]:
    """Rejects of the segments that shared a request with others of their file and got no row of their own."""
    files = pool.select(["asset_id", "sha256"]).to_pylist()
    settled = answered | rejected
    stands: dict[str, str] = {}
    for known in (answered, rejected):
        for a in files:
            if a["asset_id"] in known:
                stands.setdefault(a["sha256"], a["asset_id"])
    return [
        {"asset_id": a["asset_id"], "stage": NAME, "reason": "grouped_with", "detail": stands[a["sha256"]]}
        for a in files
        if a["asset_id"] not in settled
    ]
