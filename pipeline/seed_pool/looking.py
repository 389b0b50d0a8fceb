"""What each frame looks like, as vectors: candidates for near duplicates are sought among them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.config import ModelSettings
from pipeline.media.frames import FrameStore
from pipeline.media.looks import look, packed
from pipeline.media.views import view_of
from pipeline.models.protocols import Embedder, Item, Pixels, Vectors
from pipeline.seed_pool.measure import PLACE
from pipeline.stage import ModelRef, Resources, Stage

NAME = "look"
# Columns of the pool while copies are sought; they are not kept.
ADDS = pa.schema(
    [
        pa.field("times_s", pa.list_(pa.float64())),  # of each sampled frame, from the first frame of the file
        pa.field("looks", pa.binary()),  # media.looks.packed, a vector a frame
        pa.field("mirrored_looks", pa.binary()),  # of the mirrored frames; empty with an embedder
    ]
)


def looking(store: FrameStore, looker: ModelSettings | None) -> Stage:
    """The stage that gives each frame a vector: by its local features, or by an embedder."""
    if looker is None:
        return Stage(NAME, look_at_assets, store, PLACE, ADDS, resources=Resources(batch_rows=8))
    model = ModelRef("embedder", looker)
    return Stage(NAME, embed_frames, store, PLACE, ADDS, model=model, resources=Resources(batch_rows=8))


def look_at_assets(table: pa.Table, store: FrameStore) -> pa.Table:
    """Add time, look and mirrored look of each frame."""
    rows = []
    for row in table.to_pylist():
        pixels = store.get(**row)
        views = [view_of(frame) for frame in pixels.frames]
        rows.append((pixels.times_s, np.stack([look(v) for v in views]), np.stack([look(v.mirrored) for v in views])))
    return _columns(rows)


def embed_frames(table: pa.Table, store: FrameStore, embedder: Embedder) -> pa.Table:
    """Add time and vector of each frame, from any embedder. Mirrored frames are left to its tolerance."""
    rows = []
    for row in table.to_pylist():
        pixels = store.get(**row)
        vectors = embedder.embed([Item(pixels=Pixels((f,), (0.0,), video=False)) for f in pixels.frames])
        rows.append((pixels.times_s, vectors, vectors[:0]))
    return _columns(rows)


def _columns(rows: list[tuple[tuple[float, ...], Vectors, Vectors]]) -> pa.Table:
    times, looks, mirrored = zip(*rows, strict=True)
    values = ([list(t) for t in times], [packed(v) for v in looks], [packed(v) for v in mirrored])
    return pa.table([pa.array(v, f.type) for v, f in zip(values, ADDS, strict=True)], schema=ADDS)
