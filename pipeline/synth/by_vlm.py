"""Annotation by a vision-language model: prompt -> request -> reply -> response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from pipeline.config import SynthSettings
from pipeline.errors import MediaError
from pipeline.media.budget import shared
from pipeline.media.frames import FrameStore
from pipeline.models.protocols import Pixels, Request, Usage, Vlm
from pipeline.models.replies import Answer, Refusal, answers, parse
from pipeline.models.usage import usage_column
from pipeline.schemas import USAGE
from pipeline.stage import ModelRef, Resources, Split
from pipeline.store.reply_cache.cached_vlm import model_folder, paid_for, remembering
from pipeline.synth.annotation import ADDS, NAME, READS, Annotation, children
from pipeline.synth.prompting import clocked, prompt
from pipeline.synth.subjects import subject
from pipeline.synth.task import MAX_DESCRIPTION_CHARS, Response, Segment, Span, Stated, Subject, TaskSpec
from pipeline.synth.tasks import task


def by_vlm(settings: Annotation, model: ModelRef, batch_rows: int) -> Split:
    """The stage that asks a VLM for one example a subject."""
    return Split(
        NAME, annotate, settings, READS, ADDS.append(USAGE), model=model, resources=Resources(batch_rows=batch_rows)
    )


def annotate(table: pa.Table, settings: Annotation, vlm: Vlm) -> pa.Table:
    """One example for each subject whose media can be read.

    Rejects: media reasons, those of `replies.parse`, and `no_description` (`describe: once`).
    """
    spec = task(settings.task)
    store = FrameStore(settings.cache, settings.media_root, settings.frames)
    whats = [subject(row) for row in table.to_pylist()]
    asked: list[tuple[int, Request]] = []
    made: dict[int, list[Stated] | Refusal] = {}
    cost: dict[int, Usage] = {}
    for i, (what, language) in enumerate(zip(whats, table.column("language").to_pylist(), strict=True)):
        if settings.synth.describe == "once" and (refusal := undescribed(what)):
            made[i] = refusal
            continue
        try:
            asked.append((i, request(spec, what, language, settings, store)))
        except MediaError as error:
            made[i] = (error.reason, error.detail)
    keys, known = spec.reply(settings.synth), remembering(vlm, settings.cache)
    replies = answers(known, [r for _, r in asked], keys.model_json_schema(), lambda reply: parse(reply, keys))
    for (i, _), reply in zip(asked, replies, strict=True):
        answer, cost[i] = reply.answer, reply.usage
        made[i] = answer if isinstance(answer, tuple) else [stated(spec, whats[i], answer, settings.synth)]
    rows = children([(w.segments[0].asset_id, made[i]) for i, w in enumerate(whats)], claimed=False)
    return rows.append_column(USAGE, usage_column([cost.get(i) for i in range(len(whats))]))


def already_paid(table: pa.Table, settings: Annotation, model: str) -> list[bool]:
    """For each of SUBJECTS, whether the VLM with the fingerprint `model` has been asked about it before.

    No request is made; one whose media cannot be read is answered False.
    """
    if not model_folder(settings.cache, model).is_dir():
        return [False] * len(table)
    spec = task(settings.task)
    store = FrameStore(settings.cache, settings.media_root, settings.frames)
    schema = spec.reply(settings.synth).model_json_schema()
    answers = []
    for row in table.to_pylist():
        try:
            asked = request(spec, subject(row), row["language"], settings, store)
        except MediaError:
            answers.append(False)  # the run will reject it and say why
        else:
            answers += paid_for(settings.cache, model, schema, [asked])
    return answers


def undescribed(what: Subject) -> Refusal | None:
    """Why a subject cannot be asked about without a description of its own: the seed pool has none of an asset."""
    missing = [s.asset_id for s in what.segments if not s.description.strip()]
    return ("no_description", f"the seed pool does not describe {', '.join(missing)}") if missing else None


def stated(spec: TaskSpec, what: Subject, answer: Answer, settings: SynthSettings) -> Stated:
    """The example in a reply: its times put in their place and, where it has no description, the seed pool's."""
    if spec.settle is not None:
        answer = spec.settle(answer, what, settings)
    segment = _segment(what, spec.to_example(answer).span)
    if not isinstance(answer, Response):
        description = segment.description.strip()[:MAX_DESCRIPTION_CHARS]
        answer = spec.response.model_validate({"description": description, **answer.model_dump()})
    return Stated(segment.asset_id, answer, ())


def request(spec: TaskSpec, what: Subject, language: str, settings: Annotation, store: FrameStore) -> Request:
    """The prompt and the frames of all segments, on one clock. Raises MediaError when a medium cannot be read."""
    sampled = sampled_of(what, store)
    asset_ids = tuple(s.asset_id for s in what.segments)
    words = prompt(spec, what, language, settings.asking, [p.times_s for p in sampled])
    return Request(words, on_clock(spec, what, sampled), asset_ids, settings.seed)


def sampled_of(what: Subject, store: FrameStore) -> tuple[Pixels, ...]:
    """The frames of all segments, at times of the file, all together within the budget of one video.

    Raises MediaError when a medium cannot be read.
    """
    clips = [
        store.get(s.asset_id, what.uri, what.medium, s.span and s.span.start_s, s.span and s.span.end_s)
        for s in what.segments
    ]
    return shared(clips, store.settings.max_frames, store.settings.max_video_pixels)


def on_clock(spec: TaskSpec, what: Subject, sampled: Sequence[Pixels]) -> tuple[Pixels, ...]:
    """The frames of all segments, at times as the prompt states them."""
    return tuple(
        replace(p, times_s=tuple(clocked(spec, s, p.times_s))) for s, p in zip(what.segments, sampled, strict=True)
    )


def _segment(what: Subject, span: Span | None) -> Segment:
    """The segment that a moment lies in; the first where it lies in none."""
    covering = (s for s in what.segments if span and s.span and s.span.covers(span))
    return next(covering, what.segments[0])
