"""How well the words about an asset fit its pixels, in the space of a second model (PAPER 3.2, step 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.config import Calibration
from pipeline.models.calibrate import apply
from pipeline.models.protocols import Embedder, Item
from pipeline.schemas import ASSETS
from pipeline.seed_pool.captions import shown
from pipeline.seed_pool.measure import PLACE, PixelSource
from pipeline.stage import ModelRef, Resources, Stage

NAME = "similarity"
ADDS = pa.schema([ASSETS.field("alignment")])


@dataclass(frozen=True)
class SimilaritySource:
    """What the comparison needs: pixels and the model's calibration."""

    pixels: PixelSource
    calibration: Calibration


def similarity(source: SimilaritySource, embedder: ModelRef) -> Stage:
    """The stage that compares assets with their descriptions; `align` judges the figure."""
    reads = (*PLACE, "description", "source_caption")
    return Stage(NAME, compare, source, reads, ADDS, model=embedder, resources=Resources(batch_rows=8))


def compare(table: pa.Table, source: SimilaritySource, embedder: Embedder) -> pa.Table:
    """Add `alignment`: the calibrated cosine (-1..1) of each asset and what is said of it."""
    store = source.pixels.store()
    rows = table.to_pylist()
    texts = embedder.embed([Item(text=about(row.pop("description"), row.pop("source_caption"))) for row in rows])
    assets = embedder.embed([Item(pixels=store.get(**row)) for row in rows])
    scores = apply(source.calibration, np.einsum("nd,nd->n", texts, assets))
    return pa.table({"alignment": pa.array(scores, pa.float32())})


def about(description: str, caption: str | None) -> str:
    """What is compared with the pixels: the description and, where one came along, the source's caption."""
    extra = shown(caption)
    return description if extra is None else f"{description} {extra}"
