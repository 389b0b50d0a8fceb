"""Structure: a video becomes its segments, and every asset gets its sampled frames (PAPER 3.2, step 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.config import SceneSettings
from pipeline.errors import MediaError
from pipeline.media.cuts import detection_limit_s
from pipeline.media.fingerprint import perceptual_hash
from pipeline.media.frames import FrameStore, sample
from pipeline.media.jpeg import decode_jpeg
from pipeline.media.scenes import iterate_segments
from pipeline.media.videos import decode_limit_s
from pipeline.models.protocols import Pixels
from pipeline.schemas import ASSETS
from pipeline.seed_pool.isolation import apart, place_from_json, place_to_json, store_from_json, store_to_json
from pipeline.seed_pool.probe import asset_id
from pipeline.stage import PARENT, Resources, Split, rejects

NAME = "scenes"
READS = ("uri", "media", "sha256", "duration_s")
ADDS = pa.schema([ASSETS.field(n) for n in ("asset_id", "start_s", "end_s", "fingerprints")])


@dataclass(frozen=True)
class SplitSettings:
    """Where media and cached frames are, and the limits of a segment."""

    store: FrameStore
    scenes: SceneSettings


def showing_something(settings: SceneSettings) -> SceneSettings:
    """Settings by which any segment passes but a black or one-coloured one, in which there is nothing to compare.

    What a pool would not keep may still be in one: as part of a longer segment, or cut elsewhere.
    """
    off = {"min_scene_s": 0.0, "min_motion": 0.0, "max_frozen_share": 1.0, "max_bar_share": 1.0}
    return settings.model_copy(update=off)


def scenes(settings: SplitSettings) -> Split:
    """The split of videos at scene cuts; an image is its own only child."""
    return Split(NAME, split_scenes, settings, reads=READS, adds=ADDS, resources=Resources(batch_rows=4))


def split_scenes(table: pa.Table, settings: SplitSettings) -> pa.Table:
    """Give each file's assets with span, perceptual hashes and cached frames.

    A segment that is no use (`media.scenes.verdict`) or corrupted is a rejected child with its span;
    a file of which nothing can be read is one rejected child without a span.
    """
    frames = settings.store.settings
    shared = {"store": store_to_json(settings.store), "scenes": settings.scenes.model_dump(mode="json")}
    children: list[dict[str, Any]] = []
    for parent, row in enumerate(table.to_pylist()):
        try:
            duration_s = row["duration_s"]
            limit_s = decode_limit_s(frames, duration_s) + detection_limit_s(settings.scenes, duration_s)
            place = place_to_json(settings.store.place(row["uri"]))
            found = apart(segments_of, {**shared, "row": row, "place": place}, limit_s, frames)
        except MediaError as error:
            nothing = {"start_s": None, "end_s": None, "fingerprints": None}
            found = [{**nothing, "verdict": (error.reason, error.detail)}]
        for child in found:
            key = asset_id(row["sha256"], child["start_s"], child["end_s"])
            children.append({PARENT: parent, "asset_id": key, **child})
    columns = {f.name: pa.array([c[f.name] for c in children], f.type) for f in ADDS}
    parents = pa.array([c[PARENT] for c in children], pa.int32())
    return pa.table({PARENT: parents, **columns, "reject": rejects(NAME, [c["verdict"] for c in children])})


def segments_of(argument: dict[str, Any]) -> list[dict[str, Any]]:
    """The assets of one file, their frames put into the cache as they come: one decode, memory of one segment.

    argument: `row` of READS, its `place`, `store`, `scenes` as JSON; runs in the decoding process. Raises MediaError.
    """
    store, row = store_from_json(argument["store"]), argument["row"]
    limits = SceneSettings.model_validate(argument["scenes"])
    place = place_from_json(argument["place"])

    def kept(start_s: float | None, end_s: float | None, pixels: Pixels, verdict: Any) -> dict[str, Any]:
        store.put(asset_id(row["sha256"], start_s, end_s), pixels)
        codes = [perceptual_hash(decode_jpeg(frame)) for frame in pixels.frames]
        return {"start_s": start_s, "end_s": end_s, "fingerprints": codes, "verdict": verdict}

    if row["media"] == "image":
        return [kept(None, None, sample(place, "image", None, None, store.settings), None)]
    return [kept(s.start_s, s.end_s, s.pixels, s.reject) for s in iterate_segments(place, store.settings, limits)]
