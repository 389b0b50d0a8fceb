"""Checks an example against its pixels without a model of language: what is measured to be false is a reject."""

from __future__ import annotations

import pyarrow as pa

from pipeline.config import AnyModel
from pipeline.media.facts import measure
from pipeline.media.frames import FrameStore
from pipeline.models.protocols import TextReader
from pipeline.models.replies import Refusal
from pipeline.stage import ModelRef, Resources, Stage, rejects
from pipeline.synth.annotation import Annotation
from pipeline.synth.claims import Seen
from pipeline.synth.judging import Case
from pipeline.synth.measurable import quoted_text, speaks_of_colours, unread, wrong_colours
from pipeline.synth.verify import READS, case_of

NAME = "measure_claims"
READS_TEXT = "OCR-based Data Extraction"  # the task type whose answers quote


def measuring_claims(settings: Annotation) -> Stage:
    """The stage that measures what examples say; it loads OCR, no VLM."""
    reader = ModelRef("text_reader", AnyModel())
    return Stage(NAME, measure_claims, settings, READS, pa.schema([]), model=reader, resources=Resources(batch_rows=8))


def measure_claims(table: pa.Table, settings: Annotation, reader: TextReader) -> pa.Table:
    """Rejects `not_grounded` and `negative_is_true`, with what was measured and the limit. Raises MediaError."""
    verdicts = [refuted(case_of(row, settings), settings, reader) for row in table.to_pylist()]
    return pa.table({"reject": rejects(NAME, verdicts)})


def refuted(case: Case, settings: Annotation, reader: TextReader) -> Refusal | None:
    """What a measurement refutes; nothing is measured where an example says nothing that could be.

    Text is looked for in images only: in a video it may stand between the sampled frames.
    """
    example, limits = case.example, settings.synth.facts
    text = quoted_text(example.positive_text or "") if case.task_type == READS_TEXT else None
    colours = case.spec.document != "moment" and speaks_of_colours(example)
    if text is None and not colours:
        return None
    segment = case.what.segments[0]
    seen = segment.seen
    if seen is None:
        store = FrameStore(settings.cache, settings.media_root, settings.frames)
        start, end = segment.span or (None, None)
        pixels = store.get(segment.asset_id, case.what.uri, case.what.medium, start, end)
        seen = Seen(measure(pixels, None if text is None else reader), ())
    found = unread(text, seen.facts.text, limits) if text is not None else None
    return found or (wrong_colours(example, seen, limits) if colours else None)
