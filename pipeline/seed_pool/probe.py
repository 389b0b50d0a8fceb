"""What each file is, from its bytes: medium, size as displayed, duration, hash; and what it says of itself."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.fingerprint import file_sha256
from pipeline.media.frames import FrameStore
from pipeline.media.probe import probe
from pipeline.schemas import ASSETS
from pipeline.seed_pool.isolation import apart, place_from_json, place_to_json
from pipeline.stage import Resources, Stage, rejects

NAME = "probe"
# What the file says of itself (`media.told.Told`), or why it cannot: for `provenance`; it is not kept.
_TOLD = [(name, pa.string()) for name in ("caption", "author", "origin", "reason", "detail")]
EMBEDDED = pa.field("embedded", pa.struct([*_TOLD, ("licences", pa.list_(pa.string()))]))
_HEADER = ("media", "width_px", "height_px", "duration_s", "fps", "sha256")
ADDS = pa.schema([*(ASSETS.field(n) for n in _HEADER), EMBEDDED])


def probing(store: FrameStore) -> Stage:
    """The stage that reads headers and hashes bytes."""
    return Stage(NAME, probe_files, store, reads=("uri",), adds=ADDS, resources=Resources(batch_rows=16))


def probe_files(table: pa.Table, store: FrameStore) -> pa.Table:
    """Add ADDS: medium, size in px, duration in s, fps, SHA-256, what is embedded. What is no medium is rejected."""
    settings = store.settings.model_dump(mode="json")
    uris = table.column("uri").to_pylist()
    found: list[tuple[dict[str, Any], tuple[str, str] | None]] = []
    for place in store.places(uris):
        try:
            if isinstance(place, MediaError):
                raise place
            limit_s = store.settings.max_decode_s
            argument = {"place": place_to_json(place), "settings": settings}
            found.append((apart(described, argument, limit_s, store.settings), None))
        except MediaError as error:
            found.append(({}, (error.reason, error.detail)))
    columns = {f.name: pa.array([facts.get(f.name) for facts, _ in found], f.type) for f in ADDS}
    return pa.table({**columns, "reject": rejects(NAME, [verdict for _, verdict in found])})


def described(argument: dict[str, Any]) -> dict[str, Any]:
    """What one file is, by name of ADDS; runs in the decoding process. Raises MediaError."""
    place, settings = place_from_json(argument["place"]), FrameSettings.model_validate(argument["settings"])
    facts = asdict(probe(place, settings))
    reason, detail = facts.pop("untold") or (None, None)
    embedded = {**facts.pop("told"), "reason": reason, "detail": detail}
    return {**facts, "sha256": file_sha256(place), EMBEDDED.name: embedded}


def asset_id(sha256: str, start_s: float | None, end_s: float | None) -> str:
    """An id from content and span: the same bytes get the same id wherever they lie."""
    span = "" if start_s is None or end_s is None else f"|{start_s:.3f}|{end_s:.3f}"
    return "a" + hashlib.sha256(f"{sha256}{span}".encode()).hexdigest()[:20]
