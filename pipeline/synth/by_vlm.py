"""Annotation by a vision-language model: template -> request -> reply -> response."""

from __future__ import annotations

import pyarrow as pa

from pipeline.config import SynthSettings
from pipeline.errors import MediaError
from pipeline.media.frames import FrameStore
from pipeline.models.protocols import Request, Usage, Vlm
from pipeline.models.replies import Refusal, answers, parse
from pipeline.models.usage import usage_column
from pipeline.prompts import language_name, render
from pipeline.schemas import USAGE
from pipeline.stage import ModelRef, Resources, Split
from pipeline.synth.annotation import ADDS, NAME, READS, Annotation, children
from pipeline.synth.subjects import subject
from pipeline.synth.task import Response, Span, Stated, Subject, TaskSpec
from pipeline.synth.tasks import task
from pipeline.text import shown_caption


def by_vlm(settings: Annotation, model: ModelRef, batch_rows: int) -> Split:
    """The stage that asks a VLM for one example a subject."""
    return Split(
        NAME, annotate, settings, READS, ADDS.append(USAGE), model=model, resources=Resources(batch_rows=batch_rows)
    )


def annotate(table: pa.Table, settings: Annotation, vlm: Vlm) -> pa.Table:
    """One example for each subject whose media can be read; rejects are media reasons and those of `replies.parse`."""
    spec = task(settings.task)
    store = FrameStore(settings.cache, settings.media_root, settings.frames)
    whats = [subject(row) for row in table.to_pylist()]
    asked: list[tuple[int, Request]] = []
    made: dict[int, list[Stated] | Refusal] = {}
    cost: dict[int, Usage] = {}
    for i, (what, language) in enumerate(zip(whats, table.column("language").to_pylist(), strict=True)):
        try:
            asked.append((i, request(spec, what, language, settings, store)))
        except MediaError as error:
            made[i] = (error.reason, error.detail)
    replies = answers(vlm, [r for _, r in asked], spec.schema, lambda reply: parse(reply, spec.response))
    for (i, _), reply in zip(asked, replies, strict=True):
        response, cost[i] = reply.answer, reply.usage
        made[i] = response if isinstance(response, tuple) else [Stated(_asset(whats[i], spec, response), response, ())]
    rows = children([(w.segments[0].asset_id, made[i]) for i, w in enumerate(whats)], claimed=False)
    return rows.append_column(USAGE, usage_column([cost.get(i) for i in range(len(whats))]))


def prompt(spec: TaskSpec, what: Subject, language: str, settings: SynthSettings) -> str:
    """Render the task's template for a subject. Raises ConfigError on an unknown language."""
    return render(
        spec.template,
        medium=spec.medium,
        language=language_name(language),
        max_words=min(spec.max_description_words, settings.max_description_words),
        task_types=spec.task_types,
        schema=spec.schema,
        min_gap_s=settings.min_gap_s,
        assets=[_known(what, i) for i in range(len(what.segments))],
    )


def request(spec: TaskSpec, what: Subject, language: str, settings: Annotation, store: FrameStore) -> Request:
    """The prompt and the frames of all segments. Raises MediaError when a medium cannot be read."""
    pixels = tuple(
        store.get(s.asset_id, what.uri, what.medium, s.span and s.span.start_s, s.span and s.span.end_s)
        for s in what.segments
    )
    asset_ids = tuple(s.asset_id for s in what.segments)
    return Request(prompt(spec, what, language, settings.synth), pixels, asset_ids, settings.seed)


def _known(what: Subject, index: int) -> dict[str, object]:
    segment = what.segments[index]
    known: dict[str, object] = {"file": what.uri, "category": segment.category, "description": segment.description}
    said = {"caption_by_others": segment.given.caption, "label_by_others": segment.given.label}
    known |= {name: shown for name, text in said.items() if (shown := shown_caption(text)) is not None}
    if segment.span:
        known |= {
            "segment": index + 1,
            "start_s": round(segment.span.start_s, 3),
            "end_s": round(segment.span.end_s, 3),
        }
    return known


def _asset(what: Subject, spec: TaskSpec, response: Response) -> str:
    """The segment that the response's moment lies in; the first where it lies in none."""
    span: Span | None = spec.to_example(response).span
    for segment in what.segments:
        if span and segment.span and segment.span.covers(span):
            return segment.asset_id
    return what.segments[0].asset_id
