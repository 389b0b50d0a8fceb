"""What asking a VLM for a task would take, without asking it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.config import Config, VlmSettings
from pipeline.media.budget import within
from pipeline.media.images import fit
from pipeline.models.protocols import Usage
from pipeline.models.text_tokens import token_counter
from pipeline.models.visual_tokens import (
    FRAMES_A_TOKEN,
    MARKS,
    TIME_TOKENS,
    PixelLimits,
    image_tokens,
    pixel_limits,
    video_tokens,
)
from pipeline.synth.by_vlm import prompt
from pipeline.synth.subjects import of_medium, subject, subjects
from pipeline.synth.task import TaskSpec

_RENDERED = 1_000  # prompts whose words are counted; the others are taken to be like them


@dataclass(frozen=True)
class Estimate:
    """What one task would take."""

    task: str
    requests: int
    text_tokens: int
    visual_tokens: int
    output_tokens: int
    gpu_hours: float | None

    @property
    def usage(self) -> Usage:
        """As if it had been spent."""
        return Usage(self.requests, 0, self.text_tokens + self.visual_tokens, self.output_tokens)


def estimate(spec: TaskSpec, assets: pa.Table, config: Config, earlier: Usage | None) -> Estimate:
    """Count requests, their words and their pixels. earlier: what a run of this task has cost, if there was one.

    Of more than a thousand prompts every n-th is rendered. Replies are as long as the earlier run's
    on average, else `vlm.expected_output_tokens`.
    """
    rows = subjects(assets, spec, config.synth.languages)
    known = earlier.output_tokens / earlier.requests if earlier and earlier.requests else None
    rate = config.vlm.requests_per_gpu_hour
    return Estimate(
        spec.name,
        len(rows),
        _text_tokens(spec, rows, config),
        _visual_tokens(of_medium(assets, spec), config) * len(config.synth.languages),
        round(len(rows) * (config.vlm.expected_output_tokens if known is None else known)),
        None if rate is None else len(rows) / rate,
    )


def _text_tokens(spec: TaskSpec, rows: pa.Table, config: Config) -> int:
    if len(rows) == 0:
        return 0
    count = token_counter(config.vlm.model)
    step = -(-len(rows) // _RENDERED)
    chosen = rows.take(list(range(0, len(rows), step))).to_pylist()
    words = sum(count(prompt(spec, subject(row), row["language"], config.synth)) for row in chosen)
    return round(words * len(rows) / len(chosen))


def _visual_tokens(assets: pa.Table, config: Config) -> int:
    limits = pixel_limits(config.vlm.model)
    columns: Sequence[str] = ("media", "width_px", "height_px", "fingerprints")
    return sum(_of_asset(row, config, limits) for row in assets.select(columns).to_pylist())


def _of_asset(row: dict[str, Any], config: Config, limits: PixelLimits) -> int:
    """Tokens of the sampled frames; a frame has one perceptual hash."""
    width, height = fit(row["width_px"], row["height_px"], config.frames.max_side_px)
    frames = len(row["fingerprints"])
    if row["media"] == "video":
        width, height = within(width, height, frames, config.frames.max_video_pixels)
    if row["media"] == "image" or not sends_videos(config.vlm):
        return frames * (image_tokens(width, height, limits) + MARKS)
    times = -(-frames // FRAMES_A_TOKEN) * (TIME_TOKENS + MARKS)
    return video_tokens(width, height, frames, limits) + times


def sends_videos(vlm: VlmSettings) -> bool:
    """Whether the adapter gives the model a video, two frames a token, rather than single pictures."""
    return vlm.adapter == "fake"
