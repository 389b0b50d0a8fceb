"""Coarse quality of a file: resolution, pixels and aspect ratio (PAPER 3.2, step 1)."""

from __future__ import annotations

import pyarrow as pa

from pipeline.config import QualitySettings
from pipeline.stage import Stage, rejects

NAME = "quality"


def quality(settings: QualitySettings) -> Stage:
    """The stage that drops low resolution and irregular aspect ratios."""
    return Stage(NAME, judge_quality, settings, reads=("width_px", "height_px"), adds=pa.schema([]))


def judge_quality(table: pa.Table, settings: QualitySettings) -> pa.Table:
    """Reject pictures and videos that are too small or too long and thin."""
    sizes = zip(table.column("width_px").to_pylist(), table.column("height_px").to_pylist(), strict=True)
    return pa.table({"reject": rejects(NAME, [_verdict(w, h, settings) for w, h in sizes])})


def _verdict(width: int, height: int, limits: QualitySettings) -> tuple[str, str] | None:
    if width < limits.min_width_px or height < limits.min_height_px:
        return (
            "low_resolution",
            f"{width} x {height} px, limit {limits.min_width_px} x {limits.min_height_px} px",
        )
    if width * height < limits.min_pixels:
        return "too_few_pixels", f"{width} x {height} is {width * height} pixels, limit {limits.min_pixels}"
    ratio = max(width, height) / min(width, height)
    if ratio > limits.max_aspect_ratio:
        return "irregular_aspect_ratio", f"aspect ratio {ratio:.2f}, limit {limits.max_aspect_ratio:g}"
    return None
