"""What every example must pass, whoever wrote it: pure functions that accept, or say why not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from pipeline.config import CheckSettings, SynthSettings
from pipeline.models.replies import Refusal
from pipeline.stage import Resources, Stage, rejects
from pipeline.synth.annotation import written
from pipeline.synth.repetition import copied, degenerate
from pipeline.synth.subjects import subject
from pipeline.synth.task import Example, Span, Subject, TaskSpec
from pipeline.synth.tasks import task
from pipeline.synth.tokens import UNSPACED, script, word_count
from pipeline.text import normalised

NAME = "check"
READS = ("response", "holds", "given", "language", "uri", "media", "duration_s", "segments")
TOLERANCE_S = 0.05  # times that a model copies from its prompt are rounded

# Unicode name prefixes of the letters a language is written in; any other is written in Latin.
SCRIPTS = {
    "ar": ("ARABIC",),
    "bn": ("BENGALI",),
    "el": ("GREEK",),
    "fa": ("ARABIC",),
    "he": ("HEBREW",),
    "hi": ("DEVANAGARI",),
    "ja": ("CJK", "HIRAGANA", "KATAKANA"),
    "ko": ("HANGUL",),
    "ru": ("CYRILLIC",),
    "th": ("THAI",),
    "uk": ("CYRILLIC",),
    "zh": ("CJK",),
}


@dataclass(frozen=True)
class Checking:
    """What the checks need to know."""

    task: str
    synth: SynthSettings


def checking(settings: Checking) -> Stage:
    """The stage that rejects examples which break a rule."""
    return Stage(NAME, check_examples, settings, READS, pa.schema([]), resources=Resources(batch_rows=256))


def check_examples(table: pa.Table, settings: Checking) -> pa.Table:
    """Reject each example for the first rule that it breaks."""
    spec = task(settings.task)
    limit = min(spec.max_description_words, settings.synth.max_description_words)
    verdicts: list[Refusal | None] = []
    for row in table.to_pylist():
        source, example = written(spec, row)
        description = "" if settings.synth.describe == "once" else source  # the seed pool's is in its own language
        found = broken_rule(spec, description, example, row["language"], limit)
        if row["given"] is None and row["holds"] is None:  # a VLM wrote it
            found = (
                found
                or badly_written(description, example, settings.synth.checks)
                or (copied(source, example.query_text, settings.synth.checks) if spec.query == "text" else None)
            )
        verdicts.append(found or wrong_span(example, subject(row), settings.synth.min_gap_s))
    return pa.table({"reject": rejects(NAME, verdicts)})


def broken_rule(spec: TaskSpec, description: str, example: Example, language: str, limit: int) -> Refusal | None:
    """The first rule about texts that an example breaks, whatever medium it speaks of.

    description: empty where nobody wrote one. limit: words of it.
    """
    texts = [t for t in (description, example.query_text) if t]
    if spec.query == "medium":  # labels are written by the annotator; answers may quote a picture
        texts += [t for t in (example.positive_text, example.negative_text) if t]
    found = (
        description_too_long(description, limit),
        query_too_long(example, limit),
        empty_text(example),
        answer_equals_negative(example),
        answer_in_question(example),
        wrong_language(texts, language),
    )
    return next((f for f in found if f), None)


def badly_written(description: str, example: Example, limits: CheckSettings) -> Refusal | None:
    """The first rule about its writing that an example of a VLM breaks; people may repeat themselves, and the builtin
    annotator has few words."""
    texts = {
        "description": description,
        "query": example.query_text,
        "right text": example.positive_text,
        "wrong text": example.negative_text,
    }
    return wordy(example, limits) or degenerate(texts, limits)


def wordy(example: Example, limits: CheckSettings) -> Refusal | None:
    """A text with more words than the prompts ask for."""
    for reason, text, limit in (
        ("query_too_long", example.query_text, limits.max_query_words),
        ("answer_too_long", example.positive_text, limits.max_answer_words),
        ("answer_too_long", example.negative_text, limits.max_answer_words),
    ):
        count = word_count(text or "")
        if count > limit:
            return reason, f"{count} words, limit {limit}"
    return None


def description_too_long(description: str, limit: int) -> Refusal | None:
    """More words than the prompt allowed."""
    count = word_count(description)
    return ("description_too_long", f"{count} words, limit {limit}") if count > limit else None


def query_too_long(example: Example, limit: int) -> Refusal | None:
    """More words than a description may have: what people give may be an article."""
    count = word_count(example.query_text or "")
    return ("query_too_long", f"{count} words, limit {limit}") if count > limit else None


def empty_text(example: Example) -> Refusal | None:
    """A query, label or answer that is only space and punctuation."""
    for reason, text in (
        ("empty_query", example.query_text),
        ("empty_answer", example.positive_text),
        ("empty_negative", example.negative_text),
    ):
        if text is not None and not normalised(text):
            return reason, repr(text)
    return None


def answer_equals_negative(example: Example) -> Refusal | None:
    """The right and the wrong text are one document."""
    right, wrong = example.positive_text, example.negative_text
    if right is None or wrong is None or normalised(right) != normalised(wrong):
        return None
    return "answer_equals_negative", f"{right!r} and {wrong!r}"


def answer_in_question(example: Example) -> Refusal | None:
    """The question names its own answer, as whole words."""
    if example.query_text is None or example.positive_text is None:
        return None
    question, answer = normalised(example.query_text), normalised(example.positive_text)
    edge = "" if any(script(c) in UNSPACED for c in answer) else r"\b"
    # \b needs a word character at the edge; an answer such as "C++" has none there.
    before, after = (edge if c.isalnum() else "" for c in (answer[:1], answer[-1:]))
    if answer and re.search(f"{before}{re.escape(answer)}{after}", question):
        return "answer_in_question", f"{example.positive_text!r} in {example.query_text!r}"
    return None


def wrong_language(texts: Iterable[str], language: str) -> Refusal | None:
    """Fewer than half of the letters of a text are of the script that the language is written in.

    Tells scripts apart, not languages that share one.
    """
    scripts = SCRIPTS.get(language, ("LATIN",))
    for text in texts:
        letters = [c for c in text if c.isalpha()]
        fitting = sum(1 for c in letters if script(c) in scripts)
        if letters and fitting * 2 < len(letters):
            return "wrong_language", f"{fitting} of {len(letters)} letters are {'/'.join(scripts)}, language {language}"
    return None


def wrong_span(example: Example, what: Subject, min_gap_s: float) -> Refusal | None:
    """A moment or irrelevant span that is empty, outside the video or its segments, or too close."""
    segments = [s.span for s in what.segments if s.span]
    for name, span in (("moment", example.span), ("irrelevant span", example.irrelevant_span)):
        if span is None:
            continue
        shown = f"{name} {span.start_s:g}..{span.end_s:g} s"
        if span.end_s <= span.start_s:
            return "empty_span", shown
        if what.duration_s is not None and span.end_s > what.duration_s + TOLERANCE_S:
            return "span_outside_video", f"{shown}, video ends at {what.duration_s:g} s"
        if not any(_inside(span, s) for s in segments):
            return "span_outside_segments", f"{shown} lies in none of {len(segments)} segments"
    if example.span is None or example.irrelevant_span is None:
        return None
    gap = example.span.gap_to(example.irrelevant_span)
    if gap < min_gap_s:
        return "irrelevant_span_too_close", f"gap {gap:.2f} s, limit {min_gap_s:g} s"
    return None


def _inside(span: Span, segment: Span) -> bool:
    return segment.start_s - TOLERANCE_S <= span.start_s and span.end_s <= segment.end_s + TOLERANCE_S
