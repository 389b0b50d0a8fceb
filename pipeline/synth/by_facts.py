"""The builtin annotator: says only what was measured, or nothing."""

from __future__ import annotations

import pyarrow as pa

from pipeline.config import FactSettings
from pipeline.models.replies import Refusal
from pipeline.stage import Resources, Split
from pipeline.synth.annotation import ADDS, NAME, READS, Annotation, children
from pipeline.synth.phrases import measured
from pipeline.synth.subjects import subject
from pipeline.synth.task import Stated, Subject, TaskSpec
from pipeline.synth.tasks import task


def by_facts(settings: Annotation) -> Split:
    """The stage that fills examples from facts; it needs no model and opens no file."""
    return Split(NAME, annotate, settings, READS, ADDS, resources=Resources(batch_rows=64))


def annotate(table: pa.Table, settings: Annotation) -> pa.Table:
    """Give each subject its examples, or the reject `nothing_true_to_say` with what was measured."""
    spec = task(settings.task)
    answers = []
    for row in table.to_pylist():
        what = subject(row)
        answers.append((what.segments[0].asset_id, state(spec, what, settings.synth.facts)))
    return children(answers, claimed=True)


def state(spec: TaskSpec, what: Subject, limits: FactSettings) -> list[Stated] | Refusal:
    """The examples that facts support, or why there are none."""
    stated = spec.from_facts(spec, what, limits)
    if stated:
        return stated
    details = "; ".join(measured(s.seen, limits) for s in what.segments[:3])
    if spec.document == "moment":
        details = f"{len(what.segments)} segments, none told apart from another: {details}"
    return "nothing_true_to_say", details
