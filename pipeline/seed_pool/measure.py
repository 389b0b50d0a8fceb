"""What can be measured on the pixels of each asset, once, for every later step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipeline.config import FrameSettings
from pipeline.media.facts import measure
from pipeline.media.frames import FrameStore
from pipeline.media.places import MediaRoot
from pipeline.models.protocols import TextReader
from pipeline.schemas import ASSETS
from pipeline.stage import ModelRef, Resources, Stage

NAME = "measure"
PLACE = ("asset_id", "uri", "media", "start_s", "end_s")
ADDS = pa.schema([ASSETS.field("facts")])


@dataclass(frozen=True)
class PixelSource:
    """Where a stage gets an asset's frames from."""

    media_root: MediaRoot
    cache: Path
    frames: FrameSettings

    def store(self) -> FrameStore:
        """The frames of this source; reads the cache, or the medium where that is empty."""
        return FrameStore(self.cache, self.media_root, self.frames)


def measuring(source: PixelSource, reader: ModelRef) -> Stage:
    """The stage that measures colours, light, motion and text."""
    return Stage(NAME, measure_assets, source, PLACE, ADDS, model=reader, resources=Resources(batch_rows=4))


def measure_assets(table: pa.Table, source: PixelSource, reader: TextReader) -> pa.Table:
    """Add `facts`: media.facts.Facts as JSON."""
    store = source.store()
    facts = [measure(store.get(**row), reader).to_json() for row in table.to_pylist()]
    return pa.table({"facts": pa.array(facts, pa.string())})
