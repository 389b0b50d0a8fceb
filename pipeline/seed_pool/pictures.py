"""Assets in which nothing can be seen: of one tone, lost in black or white, blurred (PAPER 3.2, step 1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa

from pipeline.config import PictureSettings
from pipeline.media.frames import FrameStore
from pipeline.media.jpeg import decode_jpeg
from pipeline.media.sharpness import edge_width
from pipeline.media.tonal_range import TonalRange, tonal_range
from pipeline.models.protocols import Picture
from pipeline.seed_pool.measure import PLACE
from pipeline.stage import Resources, Stage, rejects

NAME = "pictures"


@dataclass(frozen=True)
class PictureSource:
    """Where the frames are, and the limits."""

    store: FrameStore
    limits: PictureSettings


def picture_quality(source: PictureSource) -> Stage:
    """The stage that drops pictures and segments in which nothing can be seen."""
    return Stage(NAME, judge_pictures, source, PLACE, adds=pa.schema([]), resources=Resources(batch_rows=8))


def judge_pictures(table: pa.Table, source: PictureSource) -> pa.Table:
    """Reject what is near_uniform, underexposed, overexposed or blurred, measured on the sampled frames.

    A segment of a video is rejected only when none of its frames passes; of each figure its best frame counts.
    """
    verdicts = []
    for row in table.to_pylist():
        frames = source.store.get(**row).frames
        verdicts.append(verdict((decode_jpeg(frame) for frame in frames), source.limits))
    return pa.table({"reject": rejects(NAME, verdicts)})


def verdict(pictures: Iterable[Picture], limits: PictureSettings) -> tuple[str, str] | None:
    """Why pictures (uint8 [H, W, 3] RGB, at least one) are no use, (reason, detail); None when they are.

    Looks at no more of them than it takes to pass every limit.
    """
    best: TonalRange | None = None
    width_px: float | None = None
    found: tuple[str, str] | None = None
    for number, picture in enumerate(pictures):
        tones, edges = tonal_range(picture), edge_width(picture)
        best = tones if best is None else _better(best, tones)
        # A frame without edges says nothing of blur, and so cannot condemn the others.
        width_px = edges if number == 0 else None if edges is None or width_px is None else min(width_px, edges)
        found = _toneless(best, limits) or _blurred(width_px, limits)
        if found is None:
            return None
    return found


def _better(a: TonalRange, b: TonalRange) -> TonalRange:
    return replace(
        a,
        contrast=max(a.contrast, b.contrast),
        entropy_bits=max(a.entropy_bits, b.entropy_bits),
        bright_luma=max(a.bright_luma, b.bright_luma),
        dark_luma=min(a.dark_luma, b.dark_luma),
        clipped_share=min(a.clipped_share, b.clipped_share),
    )


def _toneless(tones: TonalRange, limits: PictureSettings) -> tuple[str, str] | None:
    if tones.contrast < limits.min_contrast:
        return "near_uniform", f"contrast {tones.contrast:.1f}, limit {limits.min_contrast:g}"
    if tones.entropy_bits < limits.min_entropy_bits:
        return "near_uniform", f"entropy {tones.entropy_bits:.3f} bits, limit {limits.min_entropy_bits:g} bits"
    if tones.bright_luma < limits.min_bright_luma:
        return "underexposed", f"99th percentile of luma {tones.bright_luma:.1f}, limit {limits.min_bright_luma:g}"
    if tones.dark_luma > limits.max_dark_luma:
        return "overexposed", f"0.1th percentile of luma {tones.dark_luma:.1f}, limit {limits.max_dark_luma:g}"
    if tones.clipped_share > limits.max_clipped_share:
        return "overexposed", f"{tones.clipped_share:.3f} of the pixels white, limit {limits.max_clipped_share:g}"
    return None


def _blurred(width_px: float | None, limits: PictureSettings) -> tuple[str, str] | None:
    if width_px is not None and width_px > limits.max_edge_width_px:
        return "blurred", f"sharpest edges {width_px:.1f} px wide, limit {limits.max_edge_width_px:g} px"
    return None
