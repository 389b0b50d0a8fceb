"""The rows that annotation starts from: one a subject and language, with the assets it speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Config
from pipeline.schemas import ASSETS
from pipeline.synth.claims import Seen
from pipeline.synth.task import Given, Segment, Span, Subject, TaskSpec

_GIVEN = ("source_caption", "given_label", "source_language", "cues")
_OF_SEGMENT = ("asset_id", "start_s", "end_s", "category", "description", "facts", "labels", *_GIVEN)
_OF_FILE = ("uri", "media", "duration_s")
SEGMENTS = pa.list_(pa.struct([ASSETS.field(n) for n in _OF_SEGMENT]))
SUBJECTS = pa.schema(
    [*(ASSETS.field(n) for n in _OF_FILE), pa.field("language", pa.string()), pa.field("segments", SEGMENTS)]
)


def of_medium(assets: pa.Table, spec: TaskSpec) -> pa.Table:
    """The assets a task is due for, in the order of the pool."""
    return assets.filter(pc.equal(assets.column("media"), spec.medium))


def subjects(assets: pa.Table, spec: TaskSpec, languages: Sequence[str], most: int | None = None) -> pa.Table:
    """Rows of SUBJECTS, in each language: an asset each or, for moments, the segments of a file (same sha256) in time
    order, `most` of them at most: a longer film is several subjects of about equal numbers."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in of_medium(assets, spec).to_pylist():
        groups.setdefault(row["sha256"] if spec.document == "moment" else row["asset_id"], []).append(row)
    return pa.Table.from_pylist(
        [
            {
                **{n: part[0][n] for n in _OF_FILE},
                "language": language,
                "segments": [{n: row[n] for n in _OF_SEGMENT} for row in part],
            }
            for group in groups.values()
            for part in _parts(sorted(group, key=lambda row: row["start_s"] or 0.0), most or len(group))
            for language in languages
        ],
        schema=SUBJECTS,
    )


def due(assets: pa.Table, spec: TaskSpec, config: Config) -> pa.Table:
    """All that a task asks about: `subjects` with as many segments as can each show two frames within the budget."""
    return subjects(assets, spec, config.synth.languages, max(1, config.frames.max_frames // 2))


def _parts(group: list[dict[str, Any]], most: int) -> list[list[dict[str, Any]]]:
    count = -(-len(group) // most)
    return [group[i * len(group) // count : (i + 1) * len(group) // count] for i in range(count)]


def subject(row: Mapping[str, Any]) -> Subject:
    """A row of SUBJECTS as an object."""
    return Subject(
        row["uri"],
        row["media"],
        row["duration_s"],
        tuple(
            Segment(
                s["asset_id"],
                None if s["start_s"] is None else Span(s["start_s"], s["end_s"]),
                s["category"] or "",
                s["description"] or "",
                Seen.of(s["facts"], s["labels"]),
                Given(
                    s["source_caption"],
                    s["given_label"],
                    s["source_language"],
                    tuple((Span(c["start_s"], c["end_s"]), c["text"]) for c in s["cues"] or ()),
                ),
            )
            for s in row["segments"]
        ),
    )
