"""What a judge is asked about an example, without being told what the data set takes for right, and what it finds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.models.replies import MAX_CHARS_A_WORD, Answer, Refusal
from pipeline.prompts import render
from pipeline.synth.prompting import clips_of
from pipeline.synth.task import Example, Span, Subject, TaskSpec

# What a judge may find: codes of rejects.
FINDINGS = ("not_grounded", "negative_is_true", "generic_query")
MAX_WORDS = 25  # of what the judge writes in words of its own
MAX_CLAIMS = 8
MAX_SEGMENTS = 64
Said = Annotated[str, Field(max_length=MAX_WORDS * MAX_CHARS_A_WORD)]
Letter = Literal["a", "b"]


@dataclass(frozen=True)
class Case:
    """One example before its judge."""

    spec: TaskSpec
    what: Subject
    asset_id: str
    task_type: str
    example: Example
    seed: int

    def right(self, about: str) -> Letter:
        """The letter that stands for the positive: drawn by asset, text and seed, for each request on its own."""
        key = "\0".join([about, self.asset_id, self.example.query_text or "", str(self.seed)])
        return "ab"[hashlib.sha256(key.encode()).digest()[0] % 2]  # type: ignore[return-value]


@dataclass(frozen=True)
class Judge:
    """One request of verification."""

    name: str
    reply: type[Answer]
    sees: bool  # whether the frames go along
    checked: Callable[[Case], dict[str, str | None]]  # what stands in the marked block of the prompt
    verdict: Callable[[Any, Case], Refusal | None]

    @property
    def template(self) -> str:
        """File of prompts/."""
        return f"verify_{self.name}.jinja"

    def prompt(self, case: Case, times_s: Sequence[Sequence[float]]) -> str:
        """Render the template: what is the same for all examples, then this one.

        times_s: of the frames of each segment, seconds from the first frame of the file.
        """
        return render(
            self.template,
            medium=case.spec.medium,
            max_words=MAX_WORDS,
            max_claims=MAX_CLAIMS,
            keys=list(self.reply.model_fields),
            clips=[] if case.spec.medium == "image" else clips_of(case.spec, case.what, times_s),
            checked=self.checked(case),
        )


def judges_of(spec: TaskSpec) -> tuple[Judge, ...]:
    """The requests that an example of a task is put to, until one of them finds something."""
    if spec.document == "moment":
        return (MOMENT,)
    if spec.document == "medium":
        return (QUERY,)
    return (ANSWERS, QUESTION) if spec.query == "medium_and_text" else (ANSWERS,)


class AnswersReply(Answer):
    """Two answers, each judged by itself."""

    observed: Said
    a: Literal["right", "wrong", "unclear"]
    b: Literal["right", "wrong", "unclear"]


class QuestionReply(Answer):
    """What a question gives away without its medium."""

    choice: Literal["a", "b", "cannot_tell"]


class Claimed(Answer):
    """One claim of a query."""

    claim: Said
    verdict: Literal["supported", "contradicted", "unclear"]


class QueryReply(Answer):
    """A query, claim by claim."""

    claims: list[Claimed] = Field(min_length=1, max_length=MAX_CLAIMS)
    fits_most: bool


class MomentReply(Answer):
    """The segments that a query fits, counted from 1."""

    observed: Said
    best: int = Field(ge=0, le=MAX_SEGMENTS)
    also: list[Annotated[int, Field(ge=1, le=MAX_SEGMENTS)]] = Field(max_length=MAX_SEGMENTS)


def _two(case: Case, about: str) -> dict[str, str | None]:
    """What is asked and the answers under their letters; of a classification the task type asks."""
    asked = case.example.query_text or case.spec.task_types[case.task_type].definition
    right, wrong = case.example.positive_text, case.example.negative_text
    first, second = (right, wrong) if case.right(about) == "a" else (wrong, right)
    return {"asked": asked, "a": first, "b": second}


def of_answers(reply: AnswersReply, case: Case) -> Refusal | None:
    """The positive has to be right; the negative must not be."""
    right, wrong = (reply.a, reply.b) if case.right("answers") == "a" else (reply.b, reply.a)
    if right != "right":
        return "not_grounded", f"the judge finds {case.example.positive_text!r} {right}: {reply.observed}"
    if wrong == "right":
        return "negative_is_true", f"the judge finds {case.example.negative_text!r} right too: {reply.observed}"
    return None


def of_question(reply: QuestionReply, case: Case) -> Refusal | None:
    """Who answers right without the medium has not needed it."""
    if reply.choice != case.right("question"):
        return None
    return "generic_query", f"answered {case.example.positive_text!r} without the {case.spec.medium}"


def of_query(reply: QueryReply, case: Case) -> Refusal | None:
    """Nothing in a query is contradicted, something is seen, and it tells its medium from most others.

    What the medium leaves open is no fault: a query may rest on knowledge.
    """
    false = [c.claim for c in reply.claims if c.verdict == "contradicted"]
    if false:
        return "not_grounded", f"the judge finds contradicted: {false[0]!r}, {len(false)} of {len(reply.claims)} claims"
    if not any(c.verdict == "supported" for c in reply.claims):
        return "not_grounded", f"the judge sees none of {len(reply.claims)} claims, {reply.claims[0].claim!r} the first"
    return ("generic_query", f"the judge finds that it fits most {case.spec.medium}s") if reply.fits_most else None


def of_moment(reply: MomentReply, case: Case) -> Refusal | None:
    """The query means the segment of its moment, and neither that of the irrelevant span nor all of them."""
    count, also = len(case.what.segments), set(reply.also) - {reply.best}
    home, far = (segment_of(span, case.what) for span in (case.example.span, case.example.irrelevant_span))
    if max([reply.best, *also]) > count:
        return "schema_violation", f"segment {max([reply.best, *also])} of {count}"
    if reply.best != home:
        return "not_grounded", f"the judge finds segment {reply.best}, the moment is in {home}: {reply.observed}"
    if far != home and far in also:
        return "negative_is_true", f"the judge finds that it fits segment {far} too: {reply.observed}"
    if count > 2 and len(also) == count - 1:
        return "generic_query", f"the judge finds that it fits all {count} segments"
    return None


def segment_of(span: Span | None, what: Subject) -> int:
    """The number of the segment that a span lies in, from 1; 0 where it lies in none."""
    places = (n for n, s in enumerate(what.segments, 1) if span and s.span and s.span.covers(span))
    return next(places, 0)


ANSWERS = Judge("answers", AnswersReply, True, lambda case: _two(case, "answers"), of_answers)
QUESTION = Judge("question", QuestionReply, False, lambda case: _two(case, "question"), of_question)
QUERY = Judge("query", QueryReply, True, lambda case: {"query": case.example.query_text}, of_query)
MOMENT = Judge("moment", MomentReply, True, lambda case: {"query": case.example.query_text}, of_moment)
JUDGES = (ANSWERS, QUESTION, QUERY, MOMENT)
