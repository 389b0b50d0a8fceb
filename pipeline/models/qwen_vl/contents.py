"""From an item to the parts that a model reads, within its budget."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.config import BudgetSettings, VisualBudget
from pipeline.errors import ModelError
from pipeline.media.jpeg import decode_jpeg
from pipeline.models.protocols import Item, Picture, Pixels
from pipeline.models.qwen_vl.budget import Size, chosen_frames, image_size, video_size
from pipeline.models.qwen_vl.families import Family
from pipeline.models.qwen_vl.templates import Clip, Parts, Still, quoted


def content(item: Item, family: Family, budget: BudgetSettings, tokenizer: Any) -> Parts:
    """The parts of an item: video or image, then text; none when it is empty.

    tokenizer: the checkpoint's, of the tokenizers library's kind. Raises ModelError on pixels without a
    frame, and on a video where the family reads none.
    """
    parts: Parts = ()
    if item.pixels is not None:
        if item.pixels.video and not family.videos:
            raise ModelError(f"{family.name} reads text and images, no videos; use Qwen3-VL-Embedding for these")
        parts = (clip(item.pixels, family, budget) if item.pixels.video else still(item.pixels, family, budget),)
    text = cut(quoted(item.text or ""), budget.max_text_tokens, tokenizer)
    return (*parts, text) if text else parts


def still(pixels: Pixels, family: Family, budget: VisualBudget) -> Still:
    """An image in the size that the budget allows. Raises ModelError on pixels without a frame."""
    picture = decode_jpeg(_first(pixels))
    height, width = picture.shape[:2]
    return Still(_scaled(picture, image_size(height, width, family, budget)))


def shown(pixels: Pixels, family: Family, budget: VisualBudget) -> Clip:
    """The frames that the budget allows, all in the size that the first of them gets, at their times.

    Raises ModelError on pixels without a frame.
    """
    height, width = decode_jpeg(_first(pixels)).shape[:2]
    chosen = chosen_frames(len(pixels.frames), budget)
    size = video_size(len(chosen), height, width, family, budget)
    frames: NDArray[np.uint8] = np.stack([_scaled(decode_jpeg(pixels.frames[i]), size) for i in chosen])
    return Clip(frames, tuple(pixels.times_s[i] for i in chosen))


def clip(pixels: Pixels, family: Family, budget: VisualBudget) -> Clip:
    """The same, at times from the first frame."""
    found = shown(pixels, family, budget)
    return Clip(found.frames, tuple(time - pixels.times_s[0] for time in found.times_s))


def _first(pixels: Pixels) -> bytes:
    if not pixels.frames:
        raise ModelError("an item's pixels have no frame")
    return pixels.frames[0]


def _scaled(picture: Picture, size: Size) -> Picture:
    height, width = size
    # A copy: torch does not take the read-only view that Pillow gives.
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def cut(text: str, limit: int, tokenizer: Any) -> str:
    """The beginning of `text` that makes `limit` tokens; all of it where it makes no more. No character is split.

    It is cut before the template is put around it: what a tokenizer cuts off is the template's end,
    which is what the model is read at.
    """
    if len(text.encode()) <= limit:  # no token is shorter than a byte
        return text
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return text if len(spans) <= limit else text[: spans[limit - 1][1]]
