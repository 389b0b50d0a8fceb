"""Examples on their way into the data format, and the ids they get there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.synth.annotation import written
from pipeline.synth.claims import Claim, from_json
from pipeline.synth.task import Example, TaskSpec
from pipeline.text import normalised

SubDataset = tuple[str, str]  # task type, language


@dataclass(frozen=True)
class Draft:
    """One example that passed its checks. Claims are None where a VLM or a person wrote it."""

    asset_id: str
    task_type: str
    language: str
    example: Example
    holds: tuple[Claim, ...] | None
    wrong: tuple[Claim, ...] | None
    source: str = "synth"  # of schemas.RELEVANCE

    @property
    def sub_dataset(self) -> SubDataset:
        """The relevance criterion it belongs to."""
        return self.task_type, self.language


@dataclass(frozen=True)
class Asked:
    """A query and the drafts that ask it: the first gives it its words, the others repeat it. `near`: drafts that
    ask nearly the same; their assets are neither right nor wrong for it."""

    query_id: str
    drafts: tuple[Draft, ...]
    near: tuple[Draft, ...] = ()

    @property
    def first(self) -> Draft:
        """The draft that stands."""
        return self.drafts[0]


Rows = NDArray[np.int64]  # positions in the corpus, none twice


@dataclass(frozen=True)
class Judged:
    """The documents of a query: which are right, which are explicitly wrong, and which the facts
    leave open: those must never become negatives. No document stands in two of them."""

    positives: Rows
    negatives: Rows
    undecided: Rows


@dataclass(frozen=True)
class Refused:
    """A draft that gets no query."""

    draft: Draft
    reason: str
    detail: str


def drafts(spec: TaskSpec, checked: pa.Table) -> list[Draft]:
    """The live rows of the check stage, in their order."""
    columns = ["asset_id", "task_type", "language", "response", "holds", "wrong", "given"]
    return [
        Draft(
            row["asset_id"],
            row["task_type"],
            row["language"],
            written(spec, row)[1],
            None if row["holds"] is None else from_json(row["holds"]),
            None if row["wrong"] is None else from_json(row["wrong"]),
            "synth" if row["given"] is None else "given",
        )
        for row in checked.select(columns).to_pylist()
    ]


def asked(spec: TaskSpec, made: Sequence[Draft]) -> tuple[list[Asked], list[Refused]]:
    """Each query once, in the order in which it is first asked, and a refusal for every repeat.

    A query repeats another of its sub-dataset when it has the same normalised text (and medium) or,
    where it is a text of the builtin annotator, when it makes the same claims: "find a grey video"
    asks for no other video than "show me a grey video".
    """
    groups: list[list[Draft]] = []
    stands: dict[object, list[Draft]] = {}
    refused = []
    for draft in made:
        names = [query_id(spec, draft), *_said(spec, draft)]
        group = next((stands[n] for n in names if n in stands), None)
        if group is None:
            group = []
            groups.append(group)
            stands |= dict.fromkeys(names, group)
        else:
            first = group[0]
            detail = f"same as {query_id(spec, first)} of asset {first.asset_id}"
            said = first.example.query_text
            refused.append(Refused(draft, "repeated_query", f"{detail}: {said!r}" if said else detail))
        group.append(draft)
    return [Asked(query_id(spec, group[0]), tuple(group)) for group in groups], refused


def _said(spec: TaskSpec, draft: Draft) -> list[object]:
    """What a query claims, whatever its words; nothing where it names its medium or nothing is claimed."""
    return [(draft.sub_dataset, frozenset(draft.holds))] if spec.query == "text" and draft.holds else []


def distinct(rows: Iterable[Rows | Sequence[int]]) -> Rows:
    """All rows in the order in which they come, each once."""
    together = np.concatenate([np.asarray(r, np.int64) for r in rows])
    return together[np.sort(np.unique(together, return_index=True)[1])]


def short_id(prefix: str, *parts: str) -> str:
    """A stable id: 64 bits of the hash of its parts."""
    return prefix + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def query_id(spec: TaskSpec, draft: Draft) -> str:
    """The same for every draft with the same query content in one sub-dataset."""
    medium = "" if spec.query == "text" else draft.asset_id
    return short_id("q", spec.name, *draft.sub_dataset, medium, normalised(draft.example.query_text or ""))


def text_id(spec: TaskSpec, sub_dataset: SubDataset, text: str) -> str:
    """The same for texts that count as one document of a sub-dataset."""
    return short_id("d", spec.name, *sub_dataset, normalised(text))
