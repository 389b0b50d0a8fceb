"""Subtitles of a file -> those of each of its segments."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from pipeline.schemas import ASSETS
from pipeline.stage import Stage

NAME = "cues"


def segment_cues() -> Stage:
    """The stage that leaves each segment the cues that overlap it."""
    return Stage(NAME, overlapping, None, ("cues", "start_s", "end_s"), pa.schema([ASSETS.field("cues")]))


def overlapping(table: pa.Table, _: None) -> pa.Table:
    """Keep of `cues` those that overlap start_s..end_s; all of them where there is no span.

    Times stay those of the file.
    """
    return pa.table({"cues": pa.array([_within(row) for row in table.to_pylist()], ASSETS.field("cues").type)})


def _within(row: dict[str, Any]) -> list[dict[str, Any]]:
    cues: list[dict[str, Any]] = row["cues"] or []
    if row["start_s"] is None:
        return cues
    return [c for c in cues if c["start_s"] < row["end_s"] and c["end_s"] > row["start_s"]]
