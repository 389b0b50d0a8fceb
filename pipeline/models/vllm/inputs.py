"""From parts and requests to what a vLLM engine reads: pure, tested without vLLM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.config import VisualBudget
from pipeline.models.protocols import Request
from pipeline.models.qwen_vl.contents import shown, still
from pipeline.models.qwen_vl.families import QWEN3_VL
from pipeline.models.qwen_vl.templates import Clip, Parts, Still, prompt, quoted, qwen3_vl_chat

Prompt = dict[str, Any]
# Text that a prompt holds is literal, its special tokens are all written out: a tokenizer adds none.
TOKENIZATION = {"add_special_tokens": False}


def prompt_of(parts: Parts) -> Prompt:
    """Parts as vLLM's text prompt with its media, in order."""
    stills = [part.picture for part in parts if isinstance(part, Still)]
    clips = [(part.frames, video_metadata(part)) for part in parts if isinstance(part, Clip)]
    media: Mapping[str, list[Any]] = {"image": stills, "video": clips}
    found = {kind: items for kind, items in media.items() if items}
    return {"prompt": prompt(parts), **({"multi_modal_data": found} if found else {})}


def video_metadata(clip: Clip) -> dict[str, object]:
    """What vLLM is told of frames, so that it samples none and writes their real times."""
    return {**clip.metadata, "video_backend": "opencv", "do_sample_frames": False}


def parts_of(request: Request, budget: VisualBudget) -> Parts:
    """What Qwen3-VL reads: the user's turn, the prompt before the pixels.

    What prompts share stands at their beginning and is computed once. Times of frames are those of the prompt. Raises
    ModelError on pixels without a frame, OSError on what is no JPEG.
    """
    media = (shown(p, QWEN3_VL, budget) if p.video else still(p, QWEN3_VL, budget) for p in request.pixels)
    return qwen3_vl_chat((quoted(request.prompt), *media))
