"""A second look: a VLM judges each example blind, and what it finds is a reject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import MediaError
from pipeline.media.frames import FrameStore
from pipeline.models.protocols import Request, Usage, Vlm
from pipeline.models.replies import Refusal, answers, parse
from pipeline.models.usage import usage_column
from pipeline.schemas import USAGE
from pipeline.stage import ModelRef, Resources, Stage, rejects
from pipeline.store.reply_cache.cached_vlm import remembering
from pipeline.synth.annotation import READS as SUBJECT
from pipeline.synth.annotation import Annotation, written
from pipeline.synth.by_vlm import on_clock, sampled_of
from pipeline.synth.judging import FINDINGS, Case, Judge, judges_of
from pipeline.synth.subjects import subject
from pipeline.synth.tasks import task

NAME = "verify"
READS = (*SUBJECT, "asset_id", "task_type", "response", "given")


def verifying(settings: Annotation, model: ModelRef, batch_rows: int, paid: bool) -> Stage:
    """The stage that judges examples which passed their checks. paid: whether they have cost something already."""
    reads = (*READS, USAGE.name) if paid else READS
    adds = pa.schema([USAGE])
    return Stage(NAME, verify, settings, reads, adds, model=model, resources=Resources(batch_rows=batch_rows))


def verify(table: pa.Table, settings: Annotation, vlm: Vlm) -> pa.Table:
    """Put each example to the judges of its task, one request after another until one finds something.

    Rejects: `judging.FINDINGS`, media reasons, and those of `replies.parse`: what could not be judged is not kept.
    `usage` grows by what the judging has cost.
    """
    spec = task(settings.task)
    rows = table.to_pylist()
    cases = [case_of(row, settings) for row in rows]
    cost = [Usage(**row[USAGE.name]) if row.get(USAGE.name) else Usage() for row in rows]
    verdicts: list[Refusal | None] = [None] * len(cases)
    known = remembering(vlm, settings.cache)
    for judge in judges_of(spec):
        asked: list[tuple[int, Request]] = []
        for i, case in enumerate(cases):
            if verdicts[i] is None:
                try:
                    asked.append((i, request(judge, case, settings)))
                except MediaError as error:
                    verdicts[i] = (error.reason, error.detail)
        replies = answers(
            known, [r for _, r in asked], judge.reply.model_json_schema(), partial(parse, answer=judge.reply)
        )
        for (i, _), reply in zip(asked, replies, strict=True):
            cost[i] += reply.usage
            verdicts[i] = reply.answer if isinstance(reply.answer, tuple) else judge.verdict(reply.answer, cases[i])
    return pa.table({USAGE.name: usage_column(cost), "reject": rejects(NAME, verdicts)})


def case_of(row: Mapping[str, Any], settings: Annotation) -> Case:
    """The example of a row, ready to be judged."""
    spec = task(settings.task)
    return Case(spec, subject(row), row["asset_id"], row["task_type"], written(spec, row)[1], settings.seed)


def request(judge: Judge, case: Case, settings: Annotation) -> Request:
    """What a judge gets. Raises MediaError when a medium that it has to see cannot be read."""
    asset_ids = tuple(s.asset_id for s in case.what.segments)
    if not judge.sees:
        return Request(judge.prompt(case, [()] * len(asset_ids)), (), asset_ids, settings.seed)
    store = FrameStore(settings.cache, settings.media_root, settings.frames)
    sampled = sampled_of(case.what, store)
    words = judge.prompt(case, [p.times_s for p in sampled])
    return Request(words, on_clock(case.spec, case.what, sampled), asset_ids, settings.seed)


def agreement(checked: pa.Table) -> dict[str, dict[str, int]]:
    """By task type: examples that were `judged`, those on which the judge `agreed`, and what it found of the others.

    checked: rows of annotators after the stage, with `task_type` and `reject`.
    """
    stages, reasons = (pc.struct_field(checked.column("reject"), n).to_pylist() for n in ("stage", "reason"))
    found: dict[str, Counter[str]] = {}
    for task_type, stage, reason in zip(checked.column("task_type").to_pylist(), stages, reasons, strict=True):
        if stage is None or (stage == NAME and reason in FINDINGS):
            found.setdefault(task_type, Counter())[reason or "agreed"] += 1
    return {
        name: {"judged": counts.total(), "agreed": counts["agreed"], **{f: counts[f] for f in FINDINGS}}
        for name, counts in sorted(found.items())
    }
