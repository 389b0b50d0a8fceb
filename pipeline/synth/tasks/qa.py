"""Question answering: a medium with a question, its answer, and an answer that is plausible and wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from pydantic import Field

from pipeline.config import FactSettings
from pipeline.synth.claims import Claim, Seen, judge, words
from pipeline.synth.phrases import NOUN, false_colours, pick, sure_label, true_claims
from pipeline.synth.task import (
    MAX_ANSWER_CHARS,
    MAX_QUERY_CHARS,
    Example,
    Response,
    Stated,
    Subject,
    TaskSpec,
    TaskType,
)


class QuestionAnswering(Response):
    """PAPER, appendix B: keys of a question answering example."""

    question: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)
    positive_answer: str = Field(min_length=1, max_length=MAX_ANSWER_CHARS)
    hard_negative_answer: str = Field(min_length=1, max_length=MAX_ANSWER_CHARS)


def to_example(response: QuestionAnswering) -> Example:
    """A response in the terms of the data format."""
    return Example(response.question, response.positive_answer, response.hard_negative_answer)


@dataclass(frozen=True)
class Answered:
    """A question about one aspect with its right and its wrong answer, each with its claim."""

    aspect: str
    answer: str
    holds: Claim
    wrong_answer: str
    wrong: Claim


# {noun} is picture or video. A question never names its answer.
QUESTIONS = {
    "label": (
        "What can be seen in the {noun}?",
        "What does the {noun} show?",
        "Which object or creature is shown in the {noun}?",
        "What is there to see in the {noun}?",
    ),
    "colour": (
        "Which colour covers the largest part of the {noun}?",
        "What is the dominant colour of the {noun}?",
        "Which single colour makes up most of the {noun}?",
        "In which colour is most of the {noun}?",
    ),
    "brighter_side": (
        "Split the {noun} down the middle: which side is brighter?",
        "On which side of its vertical centre line is the {noun} brighter?",
        "Comparing the two sides of the {noun}, where is more light?",
    ),
    "brighter_level": (
        "Split the {noun} across the middle: which part is brighter?",
        "Above or below its horizontal centre line, where is the {noun} brighter?",
        "Comparing the top of the {noun} with its bottom, where is more light?",
    ),
    "text": (
        "What does the text in the {noun} say?",
        "Which words can be read in the {noun}?",
        "What is written in the {noun}?",
    ),
    "largest_text": (
        "What does the largest line of text in the {noun} say?",
        "Which words are written largest in the {noun}?",
        "Reading only the biggest line in the {noun}, what does it say?",
    ),
    "gloss": (
        "How is what the {noun} shows defined?",
        "Which definition fits what the {noun} shows?",
        "What is, in general, the kind of thing that the {noun} shows?",
    ),
    "luma": (
        "How is the {noun} lit overall?",
        "What is the overall lighting of the {noun} like?",
        "How much light is there in the {noun} as a whole?",
    ),
    "change": (
        "How strongly does the {noun} change from one moment to the next?",
        "Is the {noun} calm or full of change?",
        "How lively is the {noun}?",
    ),
    "trend": (
        "How does the brightness change from the beginning to the end?",
        "What happens to the light over the course of the {noun}?",
        "How does the light at the end of the {noun} compare with that at its start?",
    ),
}
OPPOSITE = {"left": "right", "right": "left", "upper": "lower", "lower": "upper", "much": "little", "little": "much"}
LIGHT = {"dark": "It is dark throughout", "bright": "It is bright throughout"}
AMOUNT = {"much": "Much changes from moment to moment", "little": "Hardly anything changes"}
CHANGE = {"brighter": "It gets brighter", "darker": "It gets darker"}
# A word of the right answer is replaced by one of these: plain words of titles and signs.
SUBSTITUTES = ("evening", "market", "garden", "winter", "yellow", "journey", "silver", "harbour", "seven", "music")


def from_facts(spec: TaskSpec, subject: Subject, limits: FactSettings) -> list[Stated]:
    """One question for every aspect that was measured with a clear result."""
    segment = subject.segments[0]
    if segment.seen is None:
        return []
    noun, served = NOUN[subject.medium], SERVED[subject.medium]
    stated: list[Stated] = []
    for ask in (_label, _colour, _half, _text, _gloss, _luma, _change, _trend):
        for qa in ask(segment.asset_id, segment.seen, limits):
            if qa.aspect not in served or judge(qa.wrong, segment.seen, limits) is not False:
                continue
            question = pick(QUESTIONS[qa.aspect], segment.asset_id, qa.aspect).format(noun=noun)
            response = spec.response.model_validate(
                {
                    "description": segment.description,
                    "task_type": served[qa.aspect],
                    "question": question,
                    "positive_answer": qa.answer,
                    "hard_negative_answer": qa.wrong_answer,
                }
            )
            stated.append(Stated(segment.asset_id, response, (qa.holds,), (qa.wrong,)))
    return stated


Ask = Callable[[str, Seen, FactSettings], Iterator[Answered]]


def _label(_: str, seen: Seen, limits: FactSettings) -> Iterator[Answered]:
    best = sure_label(seen, limits)
    if best and best.confusable:
        yield Answered("label", best.name, Claim("label", best.name), best.confusable, Claim("label", best.confusable))


def _gloss(_: str, seen: Seen, limits: FactSettings) -> Iterator[Answered]:
    best = sure_label(seen, limits)
    if best and best.confusable and best.gloss and best.confusable_gloss:
        wrong = Claim("label", best.confusable)
        yield Answered("gloss", best.gloss, Claim("label", best.name), best.confusable_gloss, wrong)


def _colour(asset_id: str, seen: Seen, limits: FactSettings) -> Iterator[Answered]:
    others = false_colours(seen, limits)
    for claim in true_claims(seen, limits):
        if claim.kind == "colour" and others:
            other = pick(others, asset_id, "colour")
            yield Answered("colour", claim.value, claim, other, Claim("colour", other))


def _half(_: str, seen: Seen, limits: FactSettings) -> Iterator[Answered]:
    for claim in true_claims(seen, limits):
        if claim.kind in {"brighter_side", "brighter_level"}:
            wrong = Claim(claim.kind, OPPOSITE[claim.value])
            yield Answered(claim.kind, f"The {claim.value} half", claim, f"The {wrong.value} half", wrong)


def _change(_: str, seen: Seen, limits: FactSettings) -> Iterator[Answered]:
    for claim in true_claims(seen, limits):
        if claim.kind == "change":
            wrong = Claim("change", OPPOSITE[claim.value])
            yield Answered("change", AMOUNT[claim.value], claim, AMOUNT[wrong.value], wrong)


def _text(asset_id: str, seen: Seen, limits: FactSettings) -> Iterator[Answered]:
    """The wrong answer has one word, the longest, replaced by one that is not in the picture."""
    aspect = "text" if len(seen.facts.text) == 1 else "largest_text"
    for found in true_claims(seen, limits):
        claim = Claim("largest_text", found.value)
        if found.kind == "text" and judge(claim, seen, limits):
            read = claim.value.split()
            replaced = max(range(len(read)), key=lambda i: len(read[i]))
            fresh = [w for w in SUBSTITUTES if w not in words(claim.value)]
            other = pick(fresh, asset_id, "text")
            other = other.upper() if read[replaced].isupper() else other
            text = " ".join([*read[:replaced], other, *read[replaced + 1 :]])
            yield Answered(aspect, claim.value, claim, text, Claim("largest_text", text))


def _luma(_: str, seen: Seen, limits: FactSettings) -> Iterator[Answered]:
    for claim in true_claims(seen, limits):
        if claim.kind == "luma":
            opposite = "bright" if claim.value == "dark" else "dark"
            yield Answered("luma", LIGHT[claim.value], claim, LIGHT[opposite], Claim("luma", opposite))


def _trend(_: str, seen: Seen, limits: FactSettings) -> Iterator[Answered]:
    for claim in true_claims(seen, limits):
        if claim.kind == "trend":
            opposite = "darker" if claim.value == "brighter" else "brighter"
            yield Answered("trend", CHANGE[claim.value], claim, CHANGE[opposite], Claim("trend", opposite))


_FAMILY = partial(
    TaskSpec,
    keys=QuestionAnswering,
    query="medium_and_text",
    document="text",
    from_facts=from_facts,
    to_example=to_example,
)
IMAGE_QA = _FAMILY(
    name="image_qa",
    medium="image",
    task_types={
        "Factoid Identification": TaskType(
            "Ask for one fact that can be seen directly: what, who, where, which colour, how many.",
            "Find the answer to the question about a fact that is visible in the image.",
        ),
        "Visual Reasoning": TaskType(
            "Ask something that takes a step of reasoning over what is seen: comparing, relating, inferring.",
            "Find the answer to the question that takes reasoning over the image.",
        ),
        "OCR-based Data Extraction": TaskType(
            "Ask for text, a number or an entry that has to be read in the image.",
            "Find the text or data in the image that the question asks for.",
        ),
        "Domain-specific Knowledge Inquiry": TaskType(
            "Ask something whose answer needs knowledge of a field beyond what is seen in the image.",
            "Find the answer to the question, using knowledge about what the image shows.",
        ),
    },
    max_description_words=500,
)
VIDEO_QA = _FAMILY(
    name="video_qa",
    medium="video",
    task_types={
        "Factual Identification": TaskType(
            "Ask for one fact that can be seen directly in the video: what, who, where, which, how many.",
            "Find the answer to the question about a fact that is visible in the video.",
        ),
        "Temporal Grounding": TaskType(
            "Ask about order, change or duration: what happens before, after, when, for how long.",
            "Find the answer to the question about the course of the video over time.",
        ),
        "Thematic Reasoning": TaskType(
            "Ask about the theme, message, motive or mood of the video, which has to be inferred.",
            "Find the answer to the question about the theme of the video.",
        ),
        "Cinematic Analysis": TaskType(
            "Ask about how the video is made: camera, framing, lighting, colour, editing.",
            "Find the answer to the question about how the video is filmed.",
        ),
    },
    max_description_words=300,
)
# Which task type a measured aspect serves.
SERVED = {
    "image": {
        "label": "Factoid Identification",
        "colour": "Factoid Identification",
        "brighter_side": "Visual Reasoning",
        "brighter_level": "Visual Reasoning",
        "text": "OCR-based Data Extraction",
        "largest_text": "OCR-based Data Extraction",
        "gloss": "Domain-specific Knowledge Inquiry",
    },
    "video": {
        "label": "Factual Identification",
        "colour": "Factual Identification",
        "text": "Factual Identification",
        "largest_text": "Factual Identification",
        "trend": "Temporal Grounding",
        "luma": "Cinematic Analysis",
        "brighter_side": "Cinematic Analysis",
        "brighter_level": "Cinematic Analysis",
        "change": "Cinematic Analysis",
    },
}
