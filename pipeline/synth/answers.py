"""Which texts are right and wrong for a medium: classification and question answering."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from pipeline.config import FactSettings
from pipeline.synth.claims import Claim
from pipeline.synth.drafts import Asked, Draft, Judged, Rows, SubDataset, distinct, text_id
from pipeline.synth.pool_facts import HOLDS, OPEN, PoolFacts, Verdicts
from pipeline.synth.task import TaskSpec

Claims = tuple[Claim, ...]
Kinds = frozenset[str]
NOTHING = np.empty(0, np.int64)


def judge_answers(
    spec: TaskSpec,
    queries: Sequence[Asked],
    drafts: Sequence[Draft],
    documents: Mapping[str, int],
    assets: pa.Table,
    limits: FactSettings,
) -> list[Judged]:
    """Give each query its right and wrong texts among all texts of its sub-dataset.

    drafts: all that were written, repeats too: what they say gives a text its meaning. documents:
    positions in the corpus by id. A text written for another asset is right here as well when its
    claims hold here, and undecided when the facts leave them open: mining must not take it for
    wrong. In question answering only texts about the same aspect (the same kinds of claims) can
    answer a question.
    """
    facts = PoolFacts(assets, limits)
    row_of = {asset_id: row for row, asset_id in enumerate(assets.column("asset_id").to_pylist())}
    askers: dict[SubDataset, dict[Kinds | None, list[int]]] = defaultdict(lambda: defaultdict(list))
    for position, query in enumerate(queries):
        if query.first.holds is not None:
            aspect = None if spec.query == "medium" else _kinds(query.first.holds)
            askers[query.first.sub_dataset][aspect].append(position)
    holding, open_ = _Pairs(), _Pairs()
    for sub_dataset, meanings in _meanings(spec, drafts).items():
        by_aspect = {aspect: np.array(asking) for aspect, asking in askers[sub_dataset].items()}
        rows = {a: np.array([row_of[queries[q].first.asset_id] for q in asking]) for a, asking in by_aspect.items()}
        for doc_id, said in meanings.items():
            if doc_id not in documents:
                continue
            for aspect, asking in by_aspect.items():
                verdicts = _any(facts, (c for c in said if aspect is None or _kinds(c) == aspect), rows[aspect])
                if verdicts is not None:
                    holding.add(asking[verdicts == HOLDS], documents[doc_id])
                    open_.add(asking[verdicts == OPEN], documents[doc_id])
    right, left_open = holding.by_query(len(queries)), open_.by_query(len(queries))
    return [_judged(spec, q.first, documents, right[i], left_open[i]) for i, q in enumerate(queries)]


def _any(facts: PoolFacts, said: Iterator[Claims], rows: Rows) -> Verdicts | None:
    """The best verdict on any of the things a text may say, a row; None when it says nothing."""
    verdicts = [facts.judge(claims)[rows] for claims in said]
    return np.max(verdicts, axis=0) if verdicts else None


def _judged(spec: TaskSpec, draft: Draft, documents: Mapping[str, int], holding: Rows, open_: Rows) -> Judged:
    own, wrong = (
        NOTHING if text is None else np.array([documents[text_id(spec, draft.sub_dataset, text)]])
        for text in (draft.example.positive_text, draft.example.negative_text)
    )
    right = distinct([own, holding])
    wrong = wrong[~np.isin(wrong, right)]
    return Judged(right, wrong, open_[~np.isin(open_, [*right, *wrong])])


class _Pairs:
    """Queries and a document each, gathered document by document."""

    def __init__(self) -> None:
        self.queries: list[Rows] = [NOTHING]
        self.documents: list[Rows] = [NOTHING]

    def add(self, queries: Rows, document: int) -> None:
        """Note a document for some queries."""
        self.queries.append(queries)
        self.documents.append(np.full(len(queries), document, np.int64))

    def by_query(self, count: int) -> list[Rows]:
        """The documents of each of `count` queries, in the order in which they came."""
        queries = np.concatenate(self.queries)
        order = np.argsort(queries, kind="stable")
        ends = np.searchsorted(queries[order], np.arange(1, count))
        return np.split(np.concatenate(self.documents)[order], ends)


def _meanings(spec: TaskSpec, drafts: Sequence[Draft]) -> dict[SubDataset, dict[str, set[Claims]]]:
    """For each document of a sub-dataset what it was taken to say, right or wrong."""
    meanings: dict[SubDataset, dict[str, set[Claims]]] = defaultdict(lambda: defaultdict(set))
    for d in drafts:
        for text, claims in ((d.example.positive_text, d.holds), (d.example.negative_text, d.wrong)):
            if text is not None and claims:
                meanings[d.sub_dataset][text_id(spec, d.sub_dataset, text)].add(claims)
    return meanings


def _kinds(claims: Claims) -> Kinds:
    return frozenset(c.kind for c in claims)
