"""Plain pictures on disk and the rows that stand for them, for stages that read pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from pipeline.config import FrameSettings
from pipeline.media.frames import FrameStore
from pipeline.schemas import ASSETS


def source(folder: Path) -> FrameStore:
    return FrameStore(folder / "cache", folder, FrameSettings())


def picture(folder: Path, name: str, colour: str = "red", **columns: Any) -> dict[str, Any]:
    """Draw a picture; the row of an image asset, of which `columns` are known."""
    Image.new("RGB", (200, 200), colour).save(folder / f"{name}.png")
    return {"asset_id": name, "uri": f"{name}.png", "media": "image", "start_s": None, "end_s": None, **columns}


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=ASSETS)
