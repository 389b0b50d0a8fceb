"""What asking a VLM for a task would take, without asking it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.config import Config, FrameSettings, VlmSettings
from pipeline.media.budget import shares, within
from pipeline.media.images import fit
from pipeline.models.protocols import Usage
from pipeline.models.qwen_vl import budget
from pipeline.models.qwen_vl.families import QWEN3_VL
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
from pipeline.synth.annotation import Asking, Guidance
from pipeline.synth.judging import Case, judges_of
from pipeline.synth.prompting import prompt
from pipeline.synth.subjects import due, subject
from pipeline.synth.task import Example, Segment, TaskSpec

_RENDERED = 1_000  # prompts whose words are counted; the others are taken to be like them


@dataclass(frozen=True)
class Estimate:
    """What one task would take."""

    task: str
    requests: int
    cached: int  # of the requests: answered before, they cost nothing
    text_tokens: int
    visual_tokens: int
    output_tokens: int
    gpu_hours: float | None

    @property
    def usage(self) -> Usage:
        """As if it had been spent."""
        return Usage(self.requests, self.cached, self.text_tokens + self.visual_tokens, self.output_tokens)


def estimate(
    spec: TaskSpec,
    assets: pa.Table,
    config: Config,
    guidance: Guidance,
    earlier: Usage | None,
    already_paid: Callable[[pa.Table], Sequence[bool]],
) -> Estimate:
    """Count requests, their words and their pixels.

    guidance: what prompts take from files. earlier: what a run of this task has cost, if there was one.
    already_paid: of SUBJECTS, whether each has its reply in the cache.

    Of more than a thousand prompts every n-th is rendered. Replies are as long as the earlier run's
    on average, else `vlm.expected_output_tokens`.
    """
    every = due(assets, spec, config)
    rows = every.filter(pa.array([not paid for paid in already_paid(every)], pa.bool_()))
    asked = earlier.requests - earlier.cached if earlier else 0
    known = earlier.output_tokens / asked if earlier and asked else None
    rate = config.vlm.requests_per_gpu_hour
    return Estimate(
        spec.name,
        len(every),
        len(every) - len(rows),
        _text_tokens(spec, rows, config, guidance),
        _visual_tokens(rows, assets, config, config.vlm),
        round(len(rows) * (config.vlm.expected_output_tokens if known is None else known)),
        None if rate is None else len(rows) / rate,
    )


def estimate_verifying(spec: TaskSpec, assets: pa.Table, config: Config) -> Estimate:
    """What judging a task would take at most: as if every subject gave an example that no earlier check rejects.

    Of the texts that are judged nothing is known yet: as long as a prompt may ask for.
    """
    rows = due(assets, spec, config)
    judges, limits, judge = judges_of(spec), config.synth.checks, config.judge
    requests = len(rows) * len(judges)
    query = None if spec.query == "medium" else " ".join(["word"] * limits.max_query_words)
    answer = " ".join(["word"] * limits.max_answer_words) if spec.document == "text" else None
    count, step = token_counter(judge.model), max(1, -(-len(rows) // _RENDERED))
    words, sampled = 0, rows.take(pa.array(range(0, len(rows), step), pa.int64())).to_pylist()
    for row in sampled:
        what = subject(row)
        times_s = [_times_s(segment, what.duration_s, config.frames) for segment in what.segments]
        example = Example(query, answer, answer)
        case = Case(spec, what, what.segments[0].asset_id, next(iter(spec.task_types)), example, config.seed)
        words += sum(count(j.prompt(case, times_s)) for j in judges)
    rate = judge.requests_per_gpu_hour
    return Estimate(
        spec.name,
        requests,
        0,
        round(words * len(rows) / len(sampled)) if sampled else 0,
        _visual_tokens(rows, assets, config, judge) * sum(j.sees for j in judges),
        requests * judge.expected_output_tokens,
        None if rate is None else requests / rate,
    )


def _text_tokens(spec: TaskSpec, rows: pa.Table, config: Config, guidance: Guidance) -> int:
    if len(rows) == 0:
        return 0
    count = token_counter(config.vlm.model)
    step = -(-len(rows) // _RENDERED)
    chosen = rows.take(list(range(0, len(rows), step))).to_pylist()
    asking = Asking(config.synth, config.seed, guidance)
    words = 0
    for row in chosen:
        what = subject(row)
        times_s = [_times_s(segment, what.duration_s, config.frames) for segment in what.segments]
        words += count(prompt(spec, what, row["language"], asking, times_s))
    return round(words * len(rows) / len(chosen))


def _times_s(segment: Segment, duration_s: float | None, frames: FrameSettings) -> list[float]:
    """About when the frames of a segment are sampled: the prompt names their times."""
    start, end = segment.span or (0.0, duration_s or 0.0)
    count = min(max(math.ceil((end - start) * frames.sample_fps), 1), frames.max_frames)
    return [start + i * (end - start) / count for i in range(count)]


def _visual_tokens(rows: pa.Table, assets: pa.Table, config: Config, vlm: VlmSettings) -> int:
    """What it costs to show each of the subjects `rows` once."""
    limits = pixel_limits(vlm.model)
    columns: Sequence[str] = ("asset_id", "media", "width_px", "height_px", "fingerprints")
    known = {row["asset_id"]: row for row in assets.select(columns).to_pylist()}
    return sum(
        _of_subject([known[s["asset_id"]] for s in segments], config, vlm, limits)
        for segments in rows.column("segments").to_pylist()
    )


def _of_subject(assets: Sequence[dict[str, Any]], config: Config, vlm: VlmSettings, limits: PixelLimits) -> int:
    """Tokens of the sampled frames; a frame has one perceptual hash."""
    counts = [len(row["fingerprints"]) for row in assets]
    if len(assets) > 1:
        counts = shares(counts, config.frames.max_frames)
    tokens = 0
    for row, frames in zip(assets, counts, strict=True):
        width, height = fit(row["width_px"], row["height_px"], config.frames.max_side_px)
        if row["media"] == "video":
            width, height = within(width, height, sum(counts), config.frames.max_video_pixels)
        if vlm.adapter == "vllm":
            tokens += _of_engine(row["media"], width, height, frames, vlm)
        elif row["media"] == "image" or not sends_videos(vlm):
            tokens += frames * (image_tokens(width, height, limits) + MARKS)
        else:
            times = -(-frames // FRAMES_A_TOKEN) * (TIME_TOKENS + MARKS)
            tokens += video_tokens(width, height, frames, limits) + times
    return tokens


def _of_engine(media: str, width: int, height: int, frames: int, vlm: VlmSettings) -> int:
    """The same where pixels are scaled to `vlm.budget` before a processor sees them."""
    if media == "image":
        return budget.image_tokens(height, width, QWEN3_VL, vlm.budget) + MARKS
    pairs = len(budget.chosen_frames(frames, vlm.budget)) // FRAMES_A_TOKEN
    return budget.video_tokens(frames, height, width, QWEN3_VL, vlm.budget) + pairs * (TIME_TOKENS + MARKS)


def sends_videos(vlm: VlmSettings) -> bool:
    """Whether the adapter gives the model a video, two frames a token, rather than single pictures."""
    return vlm.adapter in ("fake", "vllm") or (vlm.adapter == "openai" and vlm.server.video == "video_url")
