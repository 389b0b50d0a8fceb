"""Category, confidence and description of each asset (PAPER 3.2, step 3): what both annotators share."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from pipeline.config import FactSettings, LabelSettings
from pipeline.media.frames import FrameStore
from pipeline.schemas import ASSETS
from pipeline.seed_pool.taxonomy import Taxonomy

NAME = "label"
ADDS = pa.schema([ASSETS.field(n) for n in ("category", "category_confidence", "description", "labels")])


@dataclass(frozen=True)
class LabelSource:
    """What labelling needs to know: the frames, the tree and its limits."""

    store: FrameStore
    taxonomy: Taxonomy
    limits: LabelSettings
    facts: FactSettings
    seed: int


def unsure(category: str, confidence: float, limit: float) -> tuple[str, str] | None:
    """The verdict on a category of which the annotator is `confidence` (0..1) sure."""
    return None if confidence >= limit else ("low_confidence", f"{category} with {confidence:.2f}, limit {limit:g}")
