"""Moment retrieval: a text that finds a span of a video, and a span of the same file that it does not fit."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from pipeline.config import FactSettings, SynthSettings
from pipeline.synth.claims import Claim, holds
from pipeline.synth.phrases import a, caption, pick, sentence, true_claims
from pipeline.synth.task import (
    MAX_QUERY_CHARS,
    Example,
    GivenType,
    Response,
    Segment,
    Span,
    Stated,
    Subject,
    TaskSpec,
    TaskType,
)

TASK_TYPES = {
    "Action Moment": TaskType(
        "The query asks for something that happens: an action, an event, a change.",
        "Find the segment of the video in which the described action or change happens.",
    ),
    "Object Moment": TaskType(
        "The query asks for something that can be seen: an object, a place, a written text, a view.",
        "Find the segment of the video that shows the described object, text or view.",
    ),
    "Character Moment": TaskType(
        "The query asks for a person, animal or figure, told by looks, role or behaviour.",
        "Find the segment of the video in which the described character appears.",
    ),
}


# What a text of a task type must at least rest on, where facts can serve it.
MOVEMENT = {"trend", "change"}
SERVED = {
    "Action Moment": MOVEMENT,
    "Object Moment": {"label", "text", "colour", "has_colour", "brighter_side", "brighter_level"},
}


class Moment(Response):
    """Keys of a moment retrieval example; times in seconds from the first frame of the file."""

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)
    start_s: float = Field(ge=0, allow_inf_nan=False)
    end_s: float = Field(ge=0, allow_inf_nan=False)
    irrelevant_start_s: float = Field(ge=0, allow_inf_nan=False)
    irrelevant_end_s: float = Field(ge=0, allow_inf_nan=False)


TIMES = ("start_s", "end_s", "irrelevant_start_s", "irrelevant_end_s")


def to_example(response: Moment) -> Example:
    """A response in the terms of the data format."""
    return Example(
        query_text=response.query,
        span=Span(response.start_s, response.end_s),
        irrelevant_span=Span(response.irrelevant_start_s, response.irrelevant_end_s),
    )


def settle(response: Moment, subject: Subject, settings: SynthSettings) -> Moment:
    """The response with its moment on the boundaries of its segment that lie within `snap_s`: a VLM knows times only
    as exactly as frames are sampled. The irrelevant span is moved inward only, and the moment stays as it was where
    it would come too near to that."""
    said = to_example(response)
    if said.span is None or said.irrelevant_span is None:
        return response
    segments = [s.span for s in subject.segments if s.span]
    span, far = (snapped(s, segments, settings.snap_s) for s in (said.span, said.irrelevant_span))
    far = Span(max(far.start_s, said.irrelevant_span.start_s), min(far.end_s, said.irrelevant_span.end_s))
    if span.gap_to(far) < settings.min_gap_s:
        span = said.span
    times = dict(zip(TIMES, (*span, *far), strict=True))
    return response.model_copy(update=times)


def snapped(span: Span, segments: Sequence[Span], tolerance_s: float) -> Span:
    """A span with its start on the start, and its end on the end, of the segment that it overlaps most, each where it
    lies no further than tolerance_s from it. A span that is empty, or overlaps none, is given back."""
    home = min(segments, key=span.gap_to, default=None)
    if home is None or span.end_s <= span.start_s or span.gap_to(home) >= 0:
        return span
    start = home.start_s if abs(span.start_s - home.start_s) <= tolerance_s else span.start_s
    end = home.end_s if abs(span.end_s - home.end_s) <= tolerance_s else span.end_s
    return Span(start, end)


def from_facts(spec: TaskSpec, subject: Subject, limits: FactSettings) -> list[Stated]:
    """For every segment, texts that hold of it and are refuted of a segment further away.

    The irrelevant segment is the one with the widest gap, so it has the minimum gap if any has.
    """
    stated = []
    for segment in subject.segments:
        claims = true_claims(segment.seen, limits) if segment.seen else ()
        for task_type, anchors in SERVED.items():
            said = claims if task_type == "Action Moment" else tuple(c for c in claims if c.kind not in MOVEMENT)
            far = _refuted(segment, said, subject, limits)
            if far is not None and any(c.kind in anchors for c in said):
                stated.append(_stated(spec, segment, far, task_type, said))
    return stated


def from_given(subject: Subject) -> list[tuple[str, Example]]:
    """The words of each subtitle and its span, as far as it lies in a segment that it covers or that covers it."""
    found = []
    for segment in subject.segments:
        for cue, words in segment.given.cues if segment.span else ():
            if segment.span and segment.span.covers(cue):
                span = Span(max(cue.start_s, segment.span.start_s), min(cue.end_s, segment.span.end_s))
                found.append((segment.asset_id, Example(query_text=words, span=span)))
    return found


def _stated(spec: TaskSpec, segment: Segment, far: Segment, task_type: str, claims: tuple[Claim, ...]) -> Stated:
    phrase = pick(
        ("when does the video show {a}?", "the moment that shows {a}", "go to {a}"), segment.asset_id, task_type
    )
    span, irrelevant = segment.span or Span(0, 0), far.span or Span(0, 0)
    keys = {
        "description": segment.description,
        "task_type": task_type,
        "query": sentence(phrase.format(a=a(caption(claims, "view")))),
        "start_s": span.start_s,
        "end_s": span.end_s,
        "irrelevant_start_s": irrelevant.start_s,
        "irrelevant_end_s": irrelevant.end_s,
    }
    return Stated(segment.asset_id, spec.response.model_validate(keys), claims)


def _refuted(segment: Segment, claims: tuple[Claim, ...], subject: Subject, limits: FactSettings) -> Segment | None:
    gaps = [
        (segment.span.gap_to(other.span), other)
        for other in subject.segments
        if segment.span and other.span and holds(claims, other.seen, limits) is False
    ]
    apart = [(gap, other) for gap, other in gaps if gap > 0]
    return max(apart, key=lambda pair: pair[0])[1] if apart else None


MOMENT_RETRIEVAL = TaskSpec(
    name="moment_retrieval",
    medium="video",
    query="text",
    document="moment",
    keys=Moment,
    task_types=TASK_TYPES,
    from_facts=from_facts,
    to_example=to_example,
    settle=settle,
    max_description_words=300,
    given=GivenType(
        "Given Subtitle",
        TaskType(
            "The words of a subtitle: what is said, or what can be heard or read.",
            "Find the segment of the video in which these words stand as subtitle.",
        ),
        column="cues",
        min_words=3,
        examples=from_given,
    ),
)
