"""Retrieval: a text that finds the image or the video."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath

from pydantic import Field

from pipeline.config import FactSettings
from pipeline.synth.claims import Claim, Seen, words
from pipeline.synth.phrases import NOUN, a, absent_colours, caption, pick, sentence, sure_label, true_claims, value_of
from pipeline.synth.task import (
    MAX_QUERY_CHARS,
    Example,
    GivenType,
    Medium,
    Response,
    Stated,
    Subject,
    TaskSpec,
    TaskType,
)
from pipeline.text import normalised

MIN_GLOSS_WORDS = 4
ANCHORS = {"label", "text", "colour", "has_colour"}  # a text without any of these says too little
MAX_ABSENT = 2
COMPOSED = {"label", "palette", "colour", "has_colour", "luma", "brighter_side", "brighter_level"}


class Retrieval(Response):
    """Keys of a retrieval example."""

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)


def to_example(response: Retrieval) -> Example:
    """A response in the terms of the data format."""
    return Example(query_text=response.query)


def from_given(subject: Subject) -> list[tuple[str, Example]]:
    """The caption that people gave, unless it is the file's name. It speaks of the whole file, so every
    segment of a video answers it."""
    name = normalised(PurePosixPath(subject.uri).stem)
    return [
        (s.asset_id, Example(query_text=s.given.caption))
        for s in subject.segments
        if s.given.caption and normalised(PurePosixPath(s.given.caption).stem) != name
    ]


Text = tuple[str, tuple[Claim, ...]]


def from_facts(spec: TaskSpec, subject: Subject, limits: FactSettings) -> list[Stated]:
    """A text for every task type that facts can serve."""
    segment = subject.segments[0]
    if segment.seen is None:
        return []
    stated = []
    for task_type, write in SERVED[subject.medium].items():
        written = write(segment.asset_id, NOUN[subject.medium], segment.seen, limits)
        if written is not None:
            text, claims = written
            keys = {"description": segment.description, "task_type": task_type, "query": sentence(text)}
            stated.append(Stated(segment.asset_id, spec.response.model_validate(keys), claims))
    return stated


def _described(asset_id: str, noun: str, seen: Seen, limits: FactSettings) -> Text | None:
    """What can be said at once of things, text, colours and light."""
    claims = tuple(c for c in true_claims(seen, limits) if c.kind not in {"trend", "change"})
    if not {c.kind for c in claims} & {*ANCHORS, "page"}:
        return None
    phrase = pick(("{a}", "find {a}", "I am looking for {a}", "show me {a}"), asset_id, "described")
    return phrase.format(a=a(caption(claims, noun))), claims


def _constrained(asset_id: str, noun: str, seen: Seen, limits: FactSettings) -> Text | None:
    """What is there and what is not: `mostly green, but with no red in it`."""
    claims = tuple(c for c in true_claims(seen, limits) if c.kind in COMPOSED)
    absent = sorted(absent_colours(seen, limits), key=lambda c: pick(range(1000), asset_id, c))[:MAX_ABSENT]
    if not {c.kind for c in claims} & ANCHORS or not absent:
        return None
    phrase = pick(("{a}, but with no {no} in it", "{a}, and no {no} anywhere", "only {a}, with no {no}"), asset_id)
    said = phrase.format(a=a(caption(claims, noun)), no=" and no ".join(absent))
    return said, (*claims, *(Claim("no_colour", c) for c in absent))


def _by_knowledge(asset_id: str, noun: str, seen: Seen, limits: FactSettings) -> Text | None:
    """The definition of what is shown, without its name."""
    best = sure_label(seen, limits)
    if best is None or not best.gloss or len(best.gloss.split()) < MIN_GLOSS_WORDS:
        return None
    if set(words(best.name)) & set(words(best.gloss)):
        return None
    phrases = (
        "a {noun} of what a dictionary calls: {gloss}",
        "shown in the {noun}: {gloss}",
        "the subject is defined as “{gloss}”",
    )
    phrase = pick(phrases, asset_id, "knowledge")
    return phrase.format(noun=noun, gloss=best.gloss.strip().rstrip(".")), (Claim("label", best.name),)


def _entity(asset_id: str, noun: str, seen: Seen, limits: FactSettings) -> Text | None:
    """What is shown or written, or the view itself, with its look."""
    claims = tuple(c for c in true_claims(seen, limits) if c.kind not in {"trend", "change"})
    if not {c.kind for c in claims} & ANCHORS:
        return None
    phrase = pick(("{a}", "find {a}", "clips like this: {a}", "show me {a}"), asset_id, "entity")
    return phrase.format(a=a(caption(claims, noun))), claims


def _course(asset_id: str, noun: str, seen: Seen, limits: FactSettings) -> Text | None:
    """How the view changes, or stays as it is, from beginning to end."""
    claims = true_claims(seen, limits)
    kinds, said = {c.kind for c in claims}, None
    if kinds & {"trend", "change"}:
        said = a(caption(claims, noun))
    elif "luma" in kinds and kinds & ANCHORS:
        luma = value_of(claims, "luma")
        steady = a(caption((c for c in claims if c.kind != "luma"), noun))
        said = f"{steady}, {luma} at its beginning and still {luma} at its end"
    if said is None:
        return None
    return pick(("{said}", "find {said}", "show me {said}"), asset_id, "course").format(said=said), claims


Write = Callable[[str, str, Seen, FactSettings], Text | None]


def _given(medium: Medium) -> GivenType:
    return GivenType(
        "Given Caption",
        TaskType(f"The caption that people gave the {medium}.", f"Find the {medium} that people gave this caption."),
        column="source_caption",
        min_words=2,
        examples=from_given,
    )


_FAMILY = partial(
    TaskSpec,
    keys=Retrieval,
    query="text",
    document="medium",
    from_facts=from_facts,
    to_example=to_example,
)
IMAGE_RETRIEVAL = _FAMILY(
    name="image_retrieval",
    medium="image",
    given=_given("image"),
    task_types={
        "Direct Visual Description": TaskType(
            "Describe plainly what can be seen: objects, attributes, positions, colours.",
            "Find the image that matches the visual description.",
        ),
        "Abstract Narrative": TaskType(
            "Tell the story, mood or idea the image conveys, without listing what can be seen.",
            "Find the image that fits the story or mood.",
            abstract=True,
        ),
        "Compositional Logical Constraints": TaskType(
            "Combine conditions that must all hold: and, or, not, counts, relations between objects.",
            "Find the image that satisfies all conditions of the query.",
        ),
        "Knowledge-centric Textual Localisation": TaskType(
            "Point to what the image shows by knowledge, such as its definition or its history, not by its name.",
            "Find the image that shows what the query defines.",
        ),
    },
    max_description_words=500,
)
VIDEO_RETRIEVAL = _FAMILY(
    name="video_retrieval",
    medium="video",
    given=_given("video"),
    task_types={
        "Entity/Action Search": TaskType(
            "Search for a particular person, object, place or action that appears in the video.",
            "Find the video in which the described entity or action appears.",
        ),
        "Temporal Event Description": TaskType(
            "Describe how the video unfolds: what comes first, what changes, how it ends.",
            "Find the video that unfolds as described.",
        ),
        "Thematic/Emotional Discovery": TaskType(
            "Search by theme, mood or emotion that the video conveys.",
            "Find the video that conveys the theme or emotion.",
            abstract=True,
        ),
        "Instructional/Tutorial Localisation": TaskType(
            "Search for the video that teaches how to do something, by the goal or by a step.",
            "Find the video that shows how to do what is asked.",
        ),
    },
    max_description_words=300,
)
SERVED: dict[Medium, dict[str, Write]] = {
    "image": {
        "Direct Visual Description": _described,
        "Compositional Logical Constraints": _constrained,
        "Knowledge-centric Textual Localisation": _by_knowledge,
    },
    "video": {"Entity/Action Search": _entity, "Temporal Event Description": _course},
}
