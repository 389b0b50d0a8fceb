"""Sizes of what a model reads within its budget: pure arithmetic on heights, widths and numbers of frames.

The rule is that of Qwen's own processors (`models/visual_tokens.py`), with the limits of the budget in
the place of theirs, so that a processor that scales again leaves these sizes as they are.
"""

from __future__ import annotations

import numpy as np

from pipeline.config import VisualBudget
from pipeline.models.qwen_vl.families import Family
from pipeline.models.visual_tokens import FRAMES_A_TOKEN, tokens_a_side

Size = tuple[int, int]  # height, width


def image_size(height: int, width: int, family: Family, budget: VisualBudget) -> Size:
    """The size in which an image of height x width px is read."""
    return _fitted(1, height, width, family, budget.max_image_tokens * family.token_px**2)


def image_tokens(height: int, width: int, family: Family, budget: VisualBudget) -> int:
    """Visual tokens of an image of height x width px: at most `max_image_tokens`."""
    fit_height, fit_width = image_size(height, width, family, budget)
    return fit_height * fit_width // family.token_px**2


def video_size(frames: int, height: int, width: int, family: Family, budget: VisualBudget) -> Size:
    """The size in which the frames of a video are read; `frames` is the number that `chosen_frames` gives."""
    area = family.token_px**2
    share = budget.max_video_tokens * FRAMES_A_TOKEN * area // frames
    return _fitted(frames, height, width, family, min(share, budget.max_frame_tokens * area))


def video_tokens(frames: int, height: int, width: int, family: Family, budget: VisualBudget) -> int:
    """Visual tokens of a video of which `frames` frames of height x width px were sampled: at most
    `max_video_tokens`."""
    read = len(chosen_frames(frames, budget))
    fit_height, fit_width = video_size(read, height, width, family, budget)
    return read // FRAMES_A_TOKEN * (fit_height * fit_width // family.token_px**2)


def chosen_frames(frames: int, budget: VisualBudget) -> list[int]:
    """Which of `frames` frames are read, in order: all, or `max_video_frames` spread evenly; the last one twice where
    their number is odd."""
    if frames > budget.max_video_frames:
        return [int(i) for i in np.linspace(0, frames - 1, budget.max_video_frames).round()]
    return [*range(frames), *([frames - 1] if frames % FRAMES_A_TOKEN else [])]


def _fitted(frames: int, height: int, width: int, family: Family, max_area: int) -> Size:
    """The size of each of `frames` frames. max_area: px of one frame, at least those of a token.

    Of a strip so thin that its proportions cannot be kept, the longer side is cut short: max_area always holds.
    """
    limits = (family.min_image_tokens * family.token_px**2, frames * max_area)
    across, down = (max(1, side) for side in tokens_a_side(width, height, frames, limits, family.token_px))
    longest = max_area // family.token_px**2 // min(across, down)
    return min(down, longest) * family.token_px, min(across, longest) * family.token_px
