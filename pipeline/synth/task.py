"""What a task is: one template, one spec. Everything else in this room is the same for all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from pydantic import Field, create_model

from pipeline.config import FactSettings, SynthSettings
from pipeline.models.replies import MAX_CHARS_A_WORD, Answer
from pipeline.synth.claims import Claim, Seen

Medium = Literal["image", "video"]

MAX_DESCRIPTION_CHARS = 500 * MAX_CHARS_A_WORD
MAX_ANSWER_CHARS = 300
MAX_QUERY_CHARS = 500


class Response(Answer):
    """What an annotator fills in for one subject, keys in order."""

    description: str = Field(min_length=1, max_length=MAX_DESCRIPTION_CHARS)
    task_type: str


@dataclass(frozen=True)
class TaskType:
    """One relevance criterion. `definition` lets an annotator choose it; `instruction` tells an
    embedding model what relevant means."""

    definition: str
    instruction: str
    abstract: bool = False  # about mood or theme: a VLM is told who asks (`synth.personas`)


class Span(NamedTuple):
    """Seconds from the first frame of the file, start inclusive, end exclusive."""

    start_s: float
    end_s: float

    def gap_to(self, other: Span) -> float:
        """Seconds between two spans; 0 or less when they touch or overlap."""
        return max(self.start_s, other.start_s) - min(self.end_s, other.end_s)

    def covers(self, other: Span) -> bool:
        """Whether the two overlap by at least half of the shorter."""
        shorter = min(self.end_s - self.start_s, other.end_s - other.start_s)
        return shorter > 0 and -self.gap_to(other) >= shorter / 2


@dataclass(frozen=True)
class Given:
    """What people said of an asset before anything was synthesised: data of strangers, never instructions."""

    caption: str | None = None
    label: str | None = None
    language: str | None = None  # as somebody wrote it
    cues: tuple[tuple[Span, str], ...] = ()  # subtitles that overlap the asset, in time order


@dataclass(frozen=True)
class Segment:
    """One asset as the annotators see it; an image has no span."""

    asset_id: str
    span: Span | None
    category: str
    description: str
    seen: Seen | None  # None where nothing was measured
    given: Given = Given()


@dataclass(frozen=True)
class Subject:
    """What one request is about: an asset or, for moments, the kept segments of one file in time order."""

    uri: str
    medium: Medium
    duration_s: float | None
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Example:
    """A Response in the terms of the data format. What does not apply is None.

    The query is the medium itself where `TaskSpec.query` says so. Without `positive_text` the
    positive is the asset or, for moments, `span`.
    """

    query_text: str | None = None
    positive_text: str | None = None
    negative_text: str | None = None
    span: Span | None = None
    irrelevant_span: Span | None = None

    def to_json(self) -> str:
        """The example as a column's text."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Example:
        """What `to_json` wrote."""
        values = json.loads(text)
        spans = {name: Span(*values[name]) for name in ("span", "irrelevant_span") if values[name] is not None}
        return cls(**{**values, **spans})


@dataclass(frozen=True)
class Stated:
    """A Response with the claims it rests on, which must hold of the asset that it speaks of.

    `holds`: what the answer, label or query says. `wrong`: what the wrong answer or label says.
    """

    asset_id: str
    response: Response
    holds: tuple[Claim, ...]
    wrong: tuple[Claim, ...] = ()


FromFacts = Callable[["TaskSpec", Subject, FactSettings], list[Stated]]


@dataclass(frozen=True)
class GivenType:
    """The task type of examples that people wrote: a relevance criterion of its own, so that their words
    and an annotator's are never each other's negatives."""

    name: str
    kind: TaskType
    column: str  # of schemas.ASSETS, where what is given stands
    min_words: int  # of a query text; fewer find nothing in particular
    examples: Callable[[Subject], list[tuple[str, Example]]]  # each with the id of its asset


@dataclass(frozen=True)
class TaskSpec:
    """A synthesis task (PAPER 3.2)."""

    name: str
    medium: Medium
    query: Literal["medium", "medium_and_text", "text"]
    document: Literal["text", "medium", "moment"]
    keys: type[Response]
    task_types: Mapping[str, TaskType]
    from_facts: FromFacts
    to_example: Callable[[Any], Example]
    max_description_words: int
    in_batch_negatives: bool = True
    given: GivenType | None = None  # None where nothing that comes with media makes an example
    settle: Callable[[Any, Subject, SynthSettings], Any] | None = None  # puts the times of a reply in their place

    @cached_property
    def response(self) -> type[Response]:
        """What an annotator fills in: `keys`, of which `task_type` accepts only this task's types."""
        choice: Any = Literal[tuple(self.task_types)]
        return create_model(f"{self.medium.title()}{self.keys.__name__}", __base__=self.keys, task_type=(choice, ...))

    @cached_property
    def undescribed(self) -> type[Answer]:
        """`response` without its description: what a VLM fills in where the seed pool's stands for it."""
        keys: dict[str, Any] = {n: (f.annotation, f) for n, f in self.response.model_fields.items()}
        del keys["description"]
        return create_model(f"{self.response.__name__}Undescribed", __base__=Answer, **keys)

    def reply(self, settings: SynthSettings) -> type[Answer]:
        """What a VLM fills in, keys in order: its JSON schema constrains decoding, and it parses the reply."""
        return self.response if settings.describe == "each" else self.undescribed

    @property
    def template(self) -> str:
        """File of prompts/."""
        return f"{self.name}.jinja"

    @property
    def instructions(self) -> dict[str, str]:
        """Instruction by task type, of those an annotator chooses from."""
        return {name: kind.instruction for name, kind in self.task_types.items()}

    def types_of(self, found: Iterable[str]) -> dict[str, TaskType]:
        """The task types an annotator chooses from, and the given one where it is among `found`."""
        given = {} if self.given is None or self.given.name not in found else {self.given.name: self.given.kind}
        return {**self.task_types, **given}
