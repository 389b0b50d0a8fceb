"""Compares proposed pairs of assets on their cached frames: a stage over a table of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.config import DuplicateSettings
from pipeline.media.copies import Comparison, compare
from pipeline.media.frames import FrameStore
from pipeline.media.views import View, view_of
from pipeline.models.protocols import Pixels
from pipeline.schemas import ASSETS
from pipeline.seed_pool.candidates import Alignment, Shots, align, shots_of
from pipeline.seed_pool.measure import PLACE
from pipeline.stage import Resources, Stage

NAME = "compare"
_SIDE = [*((n, ASSETS.field(n).type) for n in PLACE), ("frames", pa.list_(pa.int32()))]
PAIRS = pa.schema(
    [
        *(pa.field(f"{side}_{name}", kind) for side in ("first", "second") for name, kind in _SIDE),
        pa.field("offset_s", pa.float64()),  # the second's time minus the first's
        pa.field("span_overlap", pa.float64()),  # share of the shorter segment that has a counterpart, 0..1
    ]
)
ADDS = pa.schema([pa.field("is_copy", pa.bool_()), pa.field("evidence", pa.string())])
MIRRORED = ", mirrored"


@dataclass(frozen=True)
class CompareSource:
    """Where the frames of both sides lie, and what makes a copy."""

    first: FrameStore
    second: FrameStore
    limits: DuplicateSettings


def comparing(source: CompareSource) -> Stage:
    """The stage that tells copies from look-alikes."""
    return Stage(NAME, compare_pairs, source, tuple(PAIRS.names), ADDS, resources=Resources(batch_rows=32))


def pairs_table(
    first: pa.Table, second: pa.Table, pairs: Sequence[tuple[int, int]], settings: DuplicateSettings
) -> pa.Table:
    """PAIRS of (row of `first`, row of `second`), in that order; tables of candidates.READS.

    All rows of a call are images, or all are segments.
    """
    rows, others = (pa.array([p[k] for p in pairs], pa.int64()) for k in (0, 1))
    columns: dict[str, Any] = {}
    for side, table, at in (("first", first, rows), ("second", second, others)):
        columns |= {f"{side}_{n}": table.column(n).take(at) for n in PLACE}
    if len(pairs) and columns["first_media"][0].as_py() == "video":
        alignments = _alignments(first, second, pairs, settings.max_frames)
    else:
        alignments = [Alignment((0,), (0,), 0.0, 1.0)] * len(pairs)
    columns["first_frames"] = [list(a.first) for a in alignments]
    columns["second_frames"] = [list(a.second) for a in alignments]
    columns["offset_s"] = [a.offset_s for a in alignments]
    columns["span_overlap"] = [a.overlap for a in alignments]
    return pa.table([columns[n] for n in PAIRS.names], names=PAIRS.names).cast(PAIRS)


def _alignments(
    first: pa.Table, second: pa.Table, pairs: Sequence[tuple[int, int]], max_frames: int
) -> list[Alignment]:
    def segment(table: pa.Table, i: int) -> tuple[Shots, tuple[float, float]]:
        row = table.slice(i, 1).to_pylist()[0]
        return shots_of(row), (row["start_s"], row["end_s"])

    found = []
    for i, j in pairs:
        (shots, span), (others, other_span) = segment(first, i), segment(second, j)
        found.append(align(shots, others, (span, other_span), max_frames))
    return found


def compare_pairs(table: pa.Table, source: CompareSource) -> pa.Table:
    """Add whether each pair are copies, and what was measured, in words."""
    frames = _Frames(source)
    verdicts = [_verdict(row, frames, source.limits) for row in table.to_pylist()]
    return pa.table(
        {"is_copy": pa.array([v[0] for v in verdicts], pa.bool_()), "evidence": [v[1] for v in verdicts]}, schema=ADDS
    )


class _Frames:
    """Views of the frames of a batch; neighbouring pairs share their first asset."""

    def __init__(self, source: CompareSource) -> None:
        self._stores = {"first": source.first, "second": source.second}
        self._pixels: dict[tuple[str, str], Pixels] = {}
        self._views: dict[tuple[str, str, int], View] = {}

    def view(self, row: dict[str, Any], side: str, frame: int) -> View:
        asset = row[f"{side}_asset_id"]
        if (side, asset, frame) not in self._views:
            if (side, asset) not in self._pixels:
                place = {n: row[f"{side}_{n}"] for n in PLACE}
                self._pixels[side, asset] = self._stores[side].get(**place)
            self._views[side, asset, frame] = view_of(self._pixels[side, asset].frames[frame])
        return self._views[side, asset, frame]


def _verdict(row: dict[str, Any], frames: _Frames, limits: DuplicateSettings) -> tuple[bool, str]:
    found = [
        compare(frames.view(row, "first", i), frames.view(row, "second", j), limits.min_overlap)
        for i, j in zip(row["first_frames"], row["second_frames"], strict=True)
    ]
    if row["first_media"] == "image":
        return _of_pictures(found[0], limits)
    return _of_segments(found, row["offset_s"], row["span_overlap"], limits)


def _of_pictures(found: Comparison, limits: DuplicateSettings) -> tuple[bool, str]:
    evidence = (
        f"{found.agreement:.0%} of the blocks agree, limit {limits.min_agreement:.0%}; "
        f"overlap {found.overlap:.0%}, limit {limits.min_overlap:.0%}{MIRRORED if found.mirrored else ''}"
    )
    return found.agreement >= limits.min_agreement, evidence


def _of_segments(
    found: list[Comparison], offset_s: float, overlap: float, limits: DuplicateSettings
) -> tuple[bool, str]:
    agreeing = [f for f in found if f.agreement >= limits.min_agreement]
    share = len(agreeing) / len(found) if found else 0.0
    median = float(np.median([f.agreement for f in found])) if found else 0.0
    mirrored = MIRRORED if agreeing and all(f.mirrored for f in agreeing) else ""
    evidence = (
        f"{len(agreeing)} of {len(found)} frames agree (median {median:.0%} of the blocks), limit "
        f"{limits.min_frames:.0%}; offset {offset_s:+.2f} s, overlap {overlap:.0%}, limit "
        f"{limits.min_span_overlap:.0%}{mirrored}"
    )
    return share >= limits.min_frames and overlap >= limits.min_span_overlap, evidence
