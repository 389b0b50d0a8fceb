"""Classification: a medium, its label, and a label that is confusable and wrong."""

from __future__ import annotations

from functools import partial

from pydantic import Field

from pipeline.config import FactSettings
from pipeline.synth.claims import NEVER, Claim, Seen, holds, judge
from pipeline.synth.phrases import false_colours, look, pick, sure_label, true_claims, value_of
from pipeline.synth.task import (
    Example,
    GivenType,
    Medium,
    Response,
    Segment,
    Stated,
    Subject,
    TaskSpec,
    TaskType,
)

MAX_LABEL_CHARS = 80


class Classification(Response):
    """PAPER, appendix B: keys of a classification example."""

    label: str = Field(min_length=1, max_length=MAX_LABEL_CHARS)
    misleading_label: str = Field(min_length=1, max_length=MAX_LABEL_CHARS)


def to_example(response: Classification) -> Example:
    """A response in the terms of the data format."""
    return Example(positive_text=response.label, negative_text=response.misleading_label)


def from_facts(spec: TaskSpec, subject: Subject, limits: FactSettings) -> list[Stated]:
    """An object label where the classifier is sure (images), and a scene label by light and colour."""
    segment = subject.segments[0]
    if segment.seen is None:
        return []
    found = [_scene(spec, segment, segment.seen, limits)]
    if "Object Recognition" in spec.task_types:
        found.append(_object(spec, segment, segment.seen, limits))
    return [f for f in found if f is not None]


def from_given(subject: Subject) -> list[tuple[str, Example]]:
    """The label that people gave; names of folders write `_` for a space."""
    return [
        (s.asset_id, Example(positive_text=s.given.label.replace("_", " ").strip()))
        for s in subject.segments
        if s.given.label
    ]


def _stated(
    spec: TaskSpec,
    segment: Segment,
    kind: str,
    label: str,
    wrong: str,
    claims: tuple[Claim, ...],
    wrong_claims: tuple[Claim, ...],
) -> Stated:
    response = spec.response.model_validate(
        {"description": segment.description, "task_type": kind, "label": label, "misleading_label": wrong}
    )
    return Stated(segment.asset_id, response, claims, wrong_claims)


def _object(spec: TaskSpec, segment: Segment, seen: Seen, limits: FactSettings) -> Stated | None:
    best = sure_label(seen, limits)
    if best is None or best.confusable is None or judge(Claim("label", best.confusable), seen, limits) is not False:
        return None
    claim, wrong = Claim("label", best.name), Claim("label", best.confusable)
    return _stated(spec, segment, "Object Recognition", best.name, best.confusable, (claim,), (wrong,))


def _scene(spec: TaskSpec, segment: Segment, seen: Seen, limits: FactSettings) -> Stated | None:
    """`dark, mostly blue scene`; the wrong label keeps the light and names a colour that is not there, but could be."""
    claims = tuple(c for c in true_claims(seen, limits) if c.kind in {"luma", "colour"})
    never = NEVER.get(value_of(claims, "luma") or "", set())
    others = [c for c in false_colours(seen, limits) if c not in never]
    if not others or not any(c.kind == "colour" for c in claims):
        return None
    other = Claim("colour", pick(others, segment.asset_id, "scene"))
    wrong = tuple(other if c.kind == "colour" else c for c in claims)
    if holds(wrong, seen, limits) is not False:
        return None
    return _stated(spec, segment, "Scene Parsing", look(claims, "scene"), look(wrong, "scene"), claims, wrong)


def _given(medium: Medium) -> GivenType:
    return GivenType(
        "Given Category",
        TaskType(
            f"The category that people gave the {medium}, such as the folder that they put it in.",
            f"Find the category that people gave the {medium}.",
        ),
        column="given_label",
        min_words=0,
        examples=from_given,
    )


_FAMILY = partial(
    TaskSpec,
    keys=Classification,
    query="medium",
    document="text",
    from_facts=from_facts,
    to_example=to_example,
    # Other rows' labels may be true of this medium too: only the explicit wrong label counts.
    in_batch_negatives=False,
)
IMAGE_CLASSIFICATION = _FAMILY(
    name="image_classification",
    medium="image",
    given=_given("image"),
    task_types={
        "Object Recognition": TaskType(
            "Name the main object, animal, plant or person-role in the image, as specifically as it can be seen.",
            "Find the label that names the main object in the image.",
        ),
        "Scene Parsing": TaskType(
            "Name the kind of scene the image shows: the place or setting and how it looks as a whole.",
            "Find the label that describes the scene of the image as a whole.",
        ),
        "Landmark Identification": TaskType(
            "Name the landmark: a particular building, monument or natural site that can be told from all others.",
            "Find the name of the landmark in the image.",
        ),
        "Action Recognition": TaskType(
            "Name the action that a person or animal in the image is performing.",
            "Find the label that names the action in the image.",
        ),
    },
    max_description_words=500,
)
VIDEO_CLASSIFICATION = _FAMILY(
    name="video_classification",
    medium="video",
    given=_given("video"),
    task_types={
        "Activity Recognition": TaskType(
            "Name the activity that people, animals or machines perform in the video.",
            "Find the label that names the activity in the video.",
        ),
        "Scene Parsing": TaskType(
            "Name the kind of scene the video shows: the place or setting and how it looks as a whole.",
            "Find the label that describes the scene of the video as a whole.",
        ),
        "Event Categorization": TaskType(
            "Name the kind of event the video records, such as a wedding, a match, an accident or a lecture.",
            "Find the label that names the kind of event in the video.",
        ),
        "Sentiment/Intent Analysis": TaskType(
            "Name the emotion that the video conveys, or what the people in it, or its makers, intend.",
            "Find the label that names the sentiment or the intent of the video.",
        ),
    },
    max_description_words=300,
)
