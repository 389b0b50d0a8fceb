"""Which template a checkpoint takes, told from its config.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.errors import ModelError
from pipeline.models.qwen_vl.templates import Parts, gme_embedding, qwen3_vl_embedding

Template = Literal["auto", "qwen3-vl", "gme", "checkpoint"]


@dataclass(frozen=True)
class Family:
    """What the checkpoints of one template have in common."""

    name: str
    model_type: str  # of config.json
    embedding: Callable[[Parts, str], Parts]
    token_px: int  # side of the square that a visual token stands for
    min_image_tokens: int  # smaller images are scaled up
    videos: bool  # whether it reads videos
    sequential: bool  # whether tokens of an image are counted one by one, instead of by row and column


QWEN3_VL = Family("qwen3-vl", "qwen3_vl", qwen3_vl_embedding, 32, 4, videos=True, sequential=False)
# The code released with GME hands the language model no grid, so that its positions are those of a text.
GME = Family("gme", "qwen2_vl", gme_embedding, 28, 256, videos=False, sequential=True)
FAMILIES = {family.name: family for family in (QWEN3_VL, GME)}


def family_of(config: dict[str, Any], template: Template, describes_itself: bool) -> Family | None:
    """The family of a checkpoint; None where it is asked as it describes itself.

    config: its config.json. describes_itself: whether it has a modules.json. Raises ModelError when
    `template` is for another architecture, and when a bare Qwen2-VL does not say whose template it takes.
    """
    found = config.get("model_type")
    if template == "checkpoint":
        return None
    if template != "auto":
        family = FAMILIES[template]
        if found != family.model_type:
            raise ModelError(
                f"template {template} is for checkpoints of type {family.model_type}, this one is "
                f"{found or 'of no type'}; use template auto or checkpoint"
            )
        return family
    if found == QWEN3_VL.model_type:
        return QWEN3_VL
    if found == GME.model_type:
        if "gme" in json.dumps(config.get("auto_map", {})).lower():
            return GME
        if not describes_itself:
            raise ModelError(
                "a Qwen2-VL checkpoint without modules.json does not say what it was trained with; "
                "use template gme if it is GME"
            )
    return None
