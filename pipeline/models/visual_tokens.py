"""How many tokens pictures and videos cost a Qwen3-VL: its processor's rule, without its processor.

A picture is resized so that its sides are multiples of 32 px (a token: 2 x 2 patches of 16 px) and its area lies
between two limits; a video likewise, the limits counting the pixels of all its frames, two frames a token in time.
The rule is that of transformers' Qwen2VLImageProcessor and Qwen3VLVideoProcessor; a test holds it to them.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError

TOKEN_PX = 32
FRAMES_A_TOKEN = 2
MARKS = 2  # <|vision_start|> and <|vision_end|> around a picture or a pair of frames
TIME_TOKENS = 6  # "<12.5 seconds>" before a pair of frames, roughly


@dataclass(frozen=True)
class PixelLimits:
    """Least and most pixels: of a picture, and of all frames of a video together."""

    image: tuple[int, int] = (65_536, 16_777_216)  # as Qwen3-VL's instruct models are published
    video: tuple[int, int] = (4_096, 25_165_824)


def pixel_limits(model: str) -> PixelLimits:
    """Those of a model's folder where `model` is one, else the published ones. Raises ConfigError on a damaged file."""
    folder = Path(model)
    if not folder.is_dir():
        return PixelLimits()
    found = {
        medium: limits
        for medium, name in (("image", "preprocessor_config.json"), ("video", "video_preprocessor_config.json"))
        if (limits := _limits_in(folder / name)) is not None
    }
    return PixelLimits(**found)


def _limits_in(path: Path) -> tuple[int, int] | None:
    if not path.is_file():
        return None
    try:
        size: Any = json.loads(path.read_text(encoding="utf-8"))["size"]
        return int(size["shortest_edge"]), int(size["longest_edge"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} states no size with shortest_edge and longest_edge: {error!r}") from error


def image_tokens(width_px: int, height_px: int, limits: PixelLimits) -> int:
    """Tokens of a picture's pixels, without the marks around it."""
    across, down = tokens_a_side(width_px, height_px, 1, limits.image)
    return across * down


def video_tokens(width_px: int, height_px: int, frames: int, limits: PixelLimits) -> int:
    """Tokens of the pixels of `frames` frames (at least 1), without marks and times."""
    pairs = math.ceil(frames / FRAMES_A_TOKEN)
    # The processor first enlarges a frame that is narrower than a token. A single frame counts twice.
    enlarged = max(1.0, TOKEN_PX / height_px, TOKEN_PX / width_px)
    width, height = (int(side * enlarged) if enlarged > 1 else side for side in (width_px, height_px))
    across, down = tokens_a_side(width, height, max(frames, FRAMES_A_TOKEN), limits.video)
    return pairs * across * down


def tokens_a_side(
    width_px: int, height_px: int, frames: int, limits: tuple[int, int], token_px: int = TOKEN_PX
) -> tuple[int, int]:
    """Tokens across and down of each frame. limits: least and most pixels of all frames together."""
    least, most = limits
    across, down = round(width_px / token_px), round(height_px / token_px)
    even = frames if frames == 1 else round(frames / FRAMES_A_TOKEN) * FRAMES_A_TOKEN
    pixels = even * across * down * token_px**2
    if pixels > most:
        shrink = math.sqrt(frames * width_px * height_px / most)
        return max(1, math.floor(width_px / shrink / token_px)), max(1, math.floor(height_px / shrink / token_px))
    if pixels < least:
        grow = math.sqrt(least / (frames * width_px * height_px))
        return math.ceil(width_px * grow / token_px), math.ceil(height_px * grow / token_px)
    return across, down
