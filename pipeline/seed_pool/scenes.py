"""Structure: a video becomes its segments, and every asset gets its sampled frames (PAPER 3.2, step 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.config import SceneSettings
from pipeline.errors import MediaError
from pipeline.media.fingerprint import perceptual_hash
from pipeline.media.frames import FrameStore, decode_jpeg, sample
from pipeline.media.scenes import scan
from pipeline.models.protocols import Pixels
from pipeline.schemas import ASSETS
from pipeline.seed_pool.probe import asset_id
from pipeline.stage import PARENT, Resources, Split, rejects

NAME = "scenes"
ADDS = pa.schema([ASSETS.field(n) for n in ("asset_id", "start_s", "end_s", "fingerprints")])


@dataclass(frozen=True)
class SplitSettings:
    """Where media and cached frames are, and the limits of a segment."""

    store: FrameStore
    scenes: SceneSettings


def scenes(settings: SplitSettings) -> Split:
    """The split of videos at scene cuts; an image is its own only child."""
    return Split(
        NAME, split_scenes, settings, reads=("uri", "media", "sha256"), adds=ADDS, resources=Resources(batch_rows=4)
    )


def split_scenes(table: pa.Table, settings: SplitSettings) -> pa.Table:
    """Give each file's assets with span, perceptual hashes and cached frames.

    A segment that is static, black, too short or corrupted is a rejected child with its span;
    a file of which nothing can be read is one rejected child without a span.
    """
    children: list[dict[str, Any]] = []
    for parent, row in enumerate(table.to_pylist()):
        try:
            found = _segments(row, settings)
        except MediaError as error:
            found = [(None, None, None, (error.reason, error.detail))]
        for start_s, end_s, pixels, verdict in found:
            key = asset_id(row["sha256"], start_s, end_s)
            if pixels is not None:
                settings.store.put(key, pixels)
            children.append(
                {
                    PARENT: parent,
                    "asset_id": key,
                    "start_s": start_s,
                    "end_s": end_s,
                    "fingerprints": None
                    if pixels is None
                    else [perceptual_hash(decode_jpeg(f)) for f in pixels.frames],
                    "verdict": verdict,
                }
            )
    columns = {f.name: pa.array([c[f.name] for c in children], f.type) for f in ADDS}
    parents = pa.array([c[PARENT] for c in children], pa.int32())
    return pa.table({PARENT: parents, **columns, "reject": rejects(NAME, [c["verdict"] for c in children])})


Segment = tuple[float | None, float | None, Pixels | None, tuple[str, str] | None]


def _segments(row: dict[str, Any], settings: SplitSettings) -> list[Segment]:
    place = settings.store.place(row["uri"])
    if row["media"] == "image":
        return [(None, None, sample(place, "image", None, None, settings.store.settings), None)]
    found = scan(place, settings.store.settings, settings.scenes).segments
    return [(s.start_s, s.end_s, s.pixels, s.reject) for s in found]
