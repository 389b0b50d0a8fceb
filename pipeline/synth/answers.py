"""Which texts are right and wrong for a medium: classification and question answering."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pyarrow as pa

from pipeline.config import FactSettings
from pipeline.synth.claims import Claim
from pipeline.synth.drafts import Draft, Judged, SubDataset, query_id, text_id
from pipeline.synth.pool_facts import HOLDS, OPEN, PoolFacts
from pipeline.synth.task import TaskSpec

Claims = tuple[Claim, ...]


def judge_answers(spec: TaskSpec, drafts: Sequence[Draft], assets: pa.Table, limits: FactSettings) -> list[Judged]:
    """Give each draft its right and wrong texts among all texts of its sub-dataset.

    A text written for another asset is right here as well when its claims hold here, and
    undecided when the facts leave them open: mining must not take it for wrong. In question
    answering only texts about the same aspect (the same kinds of claims) can answer a question.
    """
    facts = PoolFacts(assets, limits)
    row_of = {asset_id: row for row, asset_id in enumerate(assets.column("asset_id").to_pylist())}
    meanings = _meanings(spec, drafts)
    result: list[Judged] = []
    for draft in drafts:
        own = text_id(spec, draft.sub_dataset, draft.example.positive_text or "")
        positives: dict[str, None] = {own: None}
        open_: dict[str, None] = {}
        for doc_id, said in meanings[draft.sub_dataset].items() if draft.holds is not None else ():
            if doc_id == own:
                continue
            verdicts = [
                facts.judge(claims)[row_of[draft.asset_id]]
                for claims in said
                if spec.query == "medium" or _kinds(claims) == _kinds(draft.holds or ())
            ]
            if HOLDS in verdicts:
                positives[doc_id] = None
            elif OPEN in verdicts:
                open_[doc_id] = None
        wrong = draft.example.negative_text
        negatives = {} if wrong is None else {text_id(spec, draft.sub_dataset, wrong): None}
        result.append(
            Judged(draft, query_id(spec, draft), positives, {n: None for n in negatives if n not in positives}, open_)
        )
    return result


def _meanings(spec: TaskSpec, drafts: Sequence[Draft]) -> dict[SubDataset, dict[str, set[Claims]]]:
    """For each document of a sub-dataset what it was taken to say, right or wrong."""
    meanings: dict[SubDataset, dict[str, set[Claims]]] = defaultdict(lambda: defaultdict(set))
    for d in drafts:
        for text, claims in ((d.example.positive_text, d.holds), (d.example.negative_text, d.wrong)):
            if text is not None and claims:
                meanings[d.sub_dataset][text_id(spec, d.sub_dataset, text)].add(claims)
    return meanings


def _kinds(claims: Claims) -> set[str]:
    return {c.kind for c in claims}
