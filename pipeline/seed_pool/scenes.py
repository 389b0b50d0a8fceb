"""Structure: a video becomes its segments, and every asset gets its sampled frames (PAPER 3.2, step 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.config import FrameSettings, SceneSettings
from pipeline.errors import MediaError
from pipeline.media.fingerprint import perceptual_hash
from pipeline.media.frames import FrameStore, decode_jpeg, resolve, sample
from pipeline.media.scenes import iterate_segments
from pipeline.models.protocols import Pixels
from pipeline.schemas import ASSETS
from pipeline.seed_pool.probe import asset_id
from pipeline.stage import PARENT, Resources, Split, rejects

NAME = "scenes"
ADDS = pa.schema([ASSETS.field(n) for n in ("asset_id", "start_s", "end_s", "fingerprints")])


@dataclass(frozen=True)
class SplitSettings:
    """Where files and cached frames are, and the limits of a segment."""

    media_root: Path
    cache: Path
    frames: FrameSettings
    scenes: SceneSettings


def scenes(settings: SplitSettings) -> Split:
    """The split of videos at scene cuts; an image is its own only child."""
    return Split(
        NAME, split_scenes, settings, reads=("uri", "media", "sha256"), adds=ADDS, resources=Resources(batch_rows=4)
    )


def split_scenes(table: pa.Table, settings: SplitSettings) -> pa.Table:
    """Give each file's assets with span, perceptual hashes and cached frames.

    A segment that is no use (`media.scenes.verdict`) or corrupted is a rejected child with its span;
    a file of which nothing can be read is one rejected child without a span.
    """
    store = FrameStore(settings.cache, settings.media_root, settings.frames)
    children: list[dict[str, Any]] = []
    for parent, row in enumerate(table.to_pylist()):
        try:
            children.extend({PARENT: parent, **child} for child in _children(row, settings, store))
        except MediaError as error:
            verdict = (error.reason, error.detail)
            children.append({PARENT: parent, **_child(row, None, None, None, verdict)})
    columns = {f.name: pa.array([c[f.name] for c in children], f.type) for f in ADDS}
    parents = pa.array([c[PARENT] for c in children], pa.int32())
    return pa.table({PARENT: parents, **columns, "reject": rejects(NAME, [c["verdict"] for c in children])})


def _children(row: dict[str, Any], settings: SplitSettings, store: FrameStore) -> Iterator[dict[str, Any]]:
    """One by one, so that no more than one segment's frames are in memory. Raises MediaError before the first."""
    path = resolve(settings.media_root, row["uri"])
    if row["media"] == "image":
        pixels = sample(path, "image", None, None, settings.frames)
        child = _child(row, None, None, pixels, None)
        store.put(child["asset_id"], pixels)
        yield child
        return
    for found in iterate_segments(path, settings.frames, settings.scenes):
        child = _child(row, found.start_s, found.end_s, found.pixels, found.reject)
        store.put(child["asset_id"], found.pixels)
        yield child


def _child(
    row: dict[str, Any],
    start_s: float | None,
    end_s: float | None,
    pixels: Pixels | None,
    verdict: tuple[str, str] | None,
) -> dict[str, Any]:
    return {
        "asset_id": asset_id(row["sha256"], start_s, end_s),
        "start_s": start_s,
        "end_s": end_s,
        "fingerprints": None if pixels is None else [perceptual_hash(decode_jpeg(f)) for f in pixels.frames],
        "verdict": verdict,
    }
