"""Examples on their way into the data format, and the ids they get there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pyarrow as pa

from pipeline.synth.annotation import written
from pipeline.synth.claims import Claim, from_json, to_json
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


@dataclass
class Judged:
    """A draft with its documents by id: which are right, which are explicitly wrong, and which
    the facts leave open: those must never become negatives."""

    draft: Draft
    query_id: str
    positives: dict[str, None]  # ordered and without repeats
    negatives: dict[str, None]
    undecided: dict[str, None]


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


def short_id(prefix: str, *parts: str) -> str:
    """A stable id: 64 bits of the hash of its parts."""
    return prefix + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def query_id(spec: TaskSpec, draft: Draft) -> str:
    """The same for every draft that asks the same in one sub-dataset.

    A text that was phrased from claims asks what its claims say, whatever the phrase; any other
    asks what its words say.
    """
    words = normalised(draft.example.query_text or "")
    if spec.query == "text":
        asked = words if draft.holds is None else to_json(sorted(set(draft.holds)))
        return short_id("q", spec.name, *draft.sub_dataset, "", asked)
    return short_id("q", spec.name, *draft.sub_dataset, draft.asset_id, words)


def text_id(spec: TaskSpec, sub_dataset: SubDataset, text: str) -> str:
    """The same for texts that count as one document of a sub-dataset."""
    return short_id("d", spec.name, *sub_dataset, normalised(text))
