"""Examples -> D = (I, Q, C, R): queries, corpus, relevance, and every asset accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.config import SynthSettings
from pipeline.schemas import CORPUS, QUERIES, RELEVANCE, SYNTH_REJECTED, UNDECIDED
from pipeline.stage import dead, live
from pipeline.synth.answers import judge_answers
from pipeline.synth.drafts import Judged, Refused, drafts, text_id
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
    found = drafts(spec, live(checked))
    if spec.document == "text":
        judged, refused = _without_repeats(spec, judge_answers(spec, found, pool, settings.facts))
        corpus = _texts(spec, judged)
    else:
        judged, refused = _without_repeats(spec, judge_targets(spec, found, pool, settings))
        corpus = _media(pool)
    rejected = [
        *({n: r[n] for n in SYNTH_REJECTED.names} for r in dead(checked).to_pylist()),
        *({"asset_id": r.draft.asset_id, "stage": NAME, "reason": r.reason, "detail": r.detail} for r in refused),
    ]
    rejected += _grouped(pool, {j.draft.asset_id for j in judged}, {r["asset_id"] for r in rejected})
    known = {d["doc_id"] for d in corpus}
    return Assembled(
        pa.Table.from_pylist(_queries(spec, judged, pool), schema=QUERIES),
        pa.Table.from_pylist(corpus, schema=CORPUS),
        pa.Table.from_pylist(_relevance(judged, known), schema=RELEVANCE),
        pa.Table.from_pylist(_undecided(judged, known), schema=UNDECIDED),
        pa.Table.from_pylist(rejected, schema=SYNTH_REJECTED),
    )


def _without_repeats(spec: TaskSpec, verdicts: Sequence[Judged]) -> tuple[list[Judged], list[Refused]]:
    """Keep the first draft of each query. Where the query is a text, what is right for a repeat
    is right for the first as well."""
    kept: dict[str, Judged] = {}
    refused = []
    for v in verdicts:
        if v.query_id not in kept:
            kept[v.query_id] = v
        else:
            first = kept[v.query_id]
            if spec.query == "text" and v.positives is not first.positives:
                first.positives = first.positives | v.positives
                first.undecided = first.undecided | v.undecided
                first.negatives = {n: None for n in first.negatives if n not in first.positives}
            refused.append(Refused(v.draft, "repeated_query", f"same as {v.query_id} of asset {first.draft.asset_id}"))
    return list(kept.values()), refused


def _content(asset: dict[str, Any]) -> dict[str, Any]:
    return {asset["media"]: asset["uri"], "start_s": asset["start_s"], "end_s": asset["end_s"]}


def _queries(spec: TaskSpec, judged: Sequence[Judged], pool: pa.Table) -> list[dict[str, Any]]:
    places = {a["asset_id"]: a for a in pool.select(["asset_id", "uri", "media", "start_s", "end_s"]).to_pylist()}
    return [
        {
            "query_id": j.query_id,
            "text": j.draft.example.query_text,
            **({} if spec.query == "text" else _content(places[j.draft.asset_id])),
            "asset_id": j.draft.asset_id,
            "task_type": j.draft.task_type,
            "language": j.draft.language,
        }
        for j in judged
    ]


def _texts(spec: TaskSpec, judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Each text of a judged draft once a sub-dataset, in the spelling that comes first."""
    documents: dict[str, dict[str, Any]] = {}
    for j in judged:
        for text in (j.draft.example.positive_text, j.draft.example.negative_text):
            if text is not None:
                doc_id = text_id(spec, j.draft.sub_dataset, text)
                row = {"doc_id": doc_id, "text": text, "task_type": j.draft.task_type, "language": j.draft.language}
                documents.setdefault(doc_id, row)
    return list(documents.values())


def _media(pool: pa.Table) -> list[dict[str, Any]]:
    """All assets of the medium, also those without a query; they serve every sub-dataset."""
    rows = pool.select(["asset_id", "uri", "media", "start_s", "end_s"]).to_pylist()
    return [{"doc_id": a["asset_id"], **_content(a), "asset_id": a["asset_id"]} for a in rows]


def _relevance(judged: Sequence[Judged], documents: set[str]) -> list[dict[str, Any]]:
    """Pairs among `documents`: a text that is right here may have been written by a refused draft."""
    return [
        {"query_id": j.query_id, "doc_id": doc_id, "relevance": relevance, "source": j.draft.source}
        for j in judged
        for relevance, ids in ((1, j.positives), (0, j.negatives))
        for doc_id in ids
        if doc_id in documents
    ]


def _undecided(judged: Sequence[Judged], documents: set[str]) -> list[dict[str, Any]]:
    return [
        {"query_id": j.query_id, "doc_id": doc_id}
        for j in judged
        for doc_id in j.undecided
        if doc_id in documents and doc_id not in j.positives and doc_id not in j.negatives
    ]


def _grouped(pool: pa.Table, answered: set[str], rejected: set[str]) -> list[dict[str, Any]]:
    """Rejects of the segments that shared a request with others of their file and got no row of their own."""
    files = pool.select(["asset_id", "sha256"]).to_pylist()
    known_to = answered | rejected
    stands: dict[str, str] = {}
    for known in (answered, rejected):
        for a in files:
            if a["asset_id"] in known:
                stands.setdefault(a["sha256"], a["asset_id"])
    return [
        {"asset_id": a["asset_id"], "stage": NAME, "reason": "grouped_with", "detail": stands[a["sha256"]]}
        for a in files
        if a["asset_id"] not in known_to
    ]
