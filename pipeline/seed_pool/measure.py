"""What can be measured on the pixels of each asset, once, for every later step."""

from __future__ import annotations

import pyarrow as pa

from pipeline.media.facts import measure
from pipeline.media.frames import FrameStore
from pipeline.models.protocols import TextReader
from pipeline.schemas import ASSETS
from pipeline.stage import ModelRef, Resources, Stage

NAME = "measure"
PLACE = ("asset_id", "uri", "media", "start_s", "end_s")
ADDS = pa.schema([ASSETS.field("facts")])


def measuring(store: FrameStore, reader: ModelRef) -> Stage:
    """The stage that measures colours, light, motion and text."""
    return Stage(NAME, measure_assets, store, PLACE, ADDS, model=reader, resources=Resources(batch_rows=4))


def measure_assets(table: pa.Table, store: FrameStore, reader: TextReader) -> pa.Table:
    """Add `facts`: media.facts.Facts as JSON."""
    facts = [measure(store.get(**row), reader).to_json() for row in table.to_pylist()]
    return pa.table({"facts": pa.array(facts, pa.string())})
