"""How well the words about an asset fit its pixels, in the space of a second model (PAPER 3.2, step 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.config import Calibration
from pipeline.media.frames import FrameStore
from pipeline.models.calibrate import apply
from pipeline.models.protocols import Embedder, Item
from pipeline.schemas import ASSETS
from pipeline.seed_pool.measure import PLACE
from pipeline.stage import ModelRef, Resources, Stage
from pipeline.text import shown_caption

NAME = "similarity"
ADDS = pa.schema([ASSETS.field("alignment")])


@dataclass(frozen=True)
class SimilaritySource:
    """What the comparison needs: the frames, the model's calibration, and whether captions must fit too."""

    store: FrameStore
    calibration: Calibration
    captions: bool


def similarity(source: SimilaritySource, embedder: ModelRef) -> Stage:
    """The stage that compares assets with what is said of them; `align` judges the figure."""
    reads = (*PLACE, "description", "source_caption")
    return Stage(NAME, compare, source, reads, ADDS, model=embedder, resources=Resources(batch_rows=8))


def compare(table: pa.Table, source: SimilaritySource, embedder: Embedder) -> pa.Table:
    """Add `alignment`: the calibrated cosine (-1..1) of each asset and its description.

    With a source's caption it is the lower of the two cosines, since both may be trained on. One
    text of both would hide a wrong one behind the right one (benchmarks/alignment.py).
    """
    rows = table.to_pylist()
    descriptions = [row.pop("description") for row in rows]
    captions = [shown_caption(row.pop("source_caption")) for row in rows]
    assets = embedder.embed([Item(pixels=source.store.get(**row)) for row in rows])
    cosines = np.einsum("nd,nd->n", embedder.embed([Item(text=text) for text in descriptions]), assets)
    captioned = [i for i, caption in enumerate(captions) if source.captions and caption is not None]
    if captioned:
        texts = embedder.embed([Item(text=captions[i]) for i in captioned])
        cosines[captioned] = np.minimum(cosines[captioned], np.einsum("nd,nd->n", texts, assets[captioned]))
    return pa.table({"alignment": pa.array(apply(source.calibration, cosines), pa.float32())})
