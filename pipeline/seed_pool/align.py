"""Does the description match the pixels, says a second model (PAPER 3.2, step 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.config import AlignSettings, Calibration
from pipeline.models.calibrate import apply
from pipeline.models.protocols import Embedder, Item
from pipeline.schemas import ASSETS
from pipeline.seed_pool.measure import PLACE, PixelSource
from pipeline.stage import ModelRef, Resources, Stage, rejects

NAME = "align"
ADDS = pa.schema([ASSETS.field("alignment")])


@dataclass(frozen=True)
class AlignSource:
    """What alignment needs: pixels, the threshold and the model's calibration."""

    pixels: PixelSource
    limits: AlignSettings
    calibration: Calibration


def alignment(source: AlignSource, embedder: ModelRef) -> Stage:
    """The stage that drops assets whose description does not fit them."""
    return Stage(
        NAME, align_assets, source, (*PLACE, "description"), ADDS, model=embedder, resources=Resources(batch_rows=8)
    )


def align_assets(table: pa.Table, source: AlignSource, embedder: Embedder) -> pa.Table:
    """Add the calibrated cosine (-1..1) of each asset and its description; reject low ones."""
    store = source.pixels.store()
    rows = table.to_pylist()
    texts = embedder.embed([Item(text=row.pop("description")) for row in rows])
    assets = embedder.embed([Item(pixels=store.get(**row)) for row in rows])
    scores = apply(source.calibration, np.einsum("nd,nd->n", texts, assets))
    limit = source.limits.min_alignment
    verdicts = [None if s >= limit else ("misaligned", f"alignment {s:.3f}, limit {limit:g}") for s in scores]
    return pa.table({"alignment": pa.array(scores, pa.float32()), "reject": rejects(NAME, verdicts)})
