"""What all annotators share: their columns, and how a batch of subjects becomes child rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.config import FrameSettings, SynthSettings
from pipeline.media.places import MediaRoot
from pipeline.models.replies import Refusal
from pipeline.stage import PARENT, rejects
from pipeline.synth.claims import to_json
from pipeline.synth.subjects import SUBJECTS
from pipeline.synth.task import Example, Stated, TaskSpec

NAME = "annotate"
READS = tuple(SUBJECTS.names)
ADDS = pa.schema(
    [
        pa.field("asset_id", pa.string()),  # the asset an example speaks of
        pa.field("task_type", pa.string()),
        pa.field("response", pa.string()),  # TaskSpec.response as JSON
        pa.field("holds", pa.string()),  # claims (claims.to_json); null where a VLM wrote the example
        pa.field("wrong", pa.string()),
        pa.field("given", pa.string()),  # task.Example as JSON where people wrote it; `response` is null then
    ]
)


@dataclass(frozen=True)
class Guidance:
    """What the user's files add to a task's prompts, read once where a run begins."""

    personas: tuple[str, ...] = ()  # who asks the abstract queries
    examples: Mapping[str, tuple[Mapping[str, object], ...]] = field(default_factory=dict)  # Responses by language


@dataclass(frozen=True)
class Asking:
    """What a prompt depends on beside the task, the subject and the language."""

    synth: SynthSettings
    seed: int
    guidance: Guidance


@dataclass(frozen=True)
class Annotation:
    """What an annotating stage needs to know."""

    task: str
    synth: SynthSettings
    frames: FrameSettings
    cache: Path
    media_root: MediaRoot
    seed: int
    guidance: Guidance = Guidance()

    @property
    def asking(self) -> Asking:
        """The part of it that prompts depend on."""
        return Asking(self.synth, self.seed, self.guidance)


def children(answers: Sequence[tuple[str, list[Stated] | Refusal]], claimed: bool) -> pa.Table:
    """The result of a Split: for each subject its examples, or one row with a reject.

    answers: (first asset of the subject, examples or refusal), one a row of the batch; an
    empty list of examples is not allowed. claimed: whether examples carry claims.
    """
    rows: list[dict[str, object]] = []
    verdicts: list[Refusal | None] = []
    for parent, (asset_id, answer) in enumerate(answers):
        if isinstance(answer, tuple):
            rows.append({PARENT: parent, "asset_id": asset_id})
            verdicts.append(answer)
            continue
        for stated in answer:
            rows.append(
                {
                    PARENT: parent,
                    "asset_id": stated.asset_id,
                    "task_type": stated.response.task_type,
                    "response": stated.response.model_dump_json(),
                    "holds": to_json(stated.holds) if claimed else None,
                    "wrong": to_json(stated.wrong) if claimed else None,
                }
            )
            verdicts.append(None)
    return result(NAME, rows, verdicts)


def result(stage: str, rows: Sequence[Mapping[str, object]], verdicts: Sequence[Refusal | None]) -> pa.Table:
    """Child rows of a Split (PARENT and ADDS, what is missing null) with their rejects."""
    schema = pa.schema([pa.field(PARENT, pa.int32()), *ADDS])
    return pa.Table.from_pylist(list(rows), schema=schema).append_column("reject", rejects(stage, verdicts))


def written(spec: TaskSpec, row: Mapping[str, Any]) -> tuple[str, Example]:
    """The description and the example of a row with ADDS; people give no description."""
    if row["given"] is not None:
        return "", Example.from_json(row["given"])
    response = spec.response.model_validate_json(row["response"])
    return response.description, spec.to_example(response)
