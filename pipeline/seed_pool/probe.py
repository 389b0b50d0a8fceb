"""What each file is, from its bytes: medium, size as displayed, duration, hash."""

from __future__ import annotations

import hashlib

import pyarrow as pa

from pipeline.errors import MediaError
from pipeline.media.fingerprint import file_sha256
from pipeline.media.frames import FrameStore
from pipeline.media.probe import Probe, probe
from pipeline.schemas import ASSETS
from pipeline.stage import Resources, Stage, rejects

NAME = "probe"
ADDS = pa.schema([ASSETS.field(n) for n in ("media", "width_px", "height_px", "duration_s", "fps", "sha256")])


def probing(store: FrameStore) -> Stage:
    """The stage that reads headers and hashes bytes."""
    return Stage(NAME, probe_files, store, reads=("uri",), adds=ADDS, resources=Resources(batch_rows=16))


def probe_files(table: pa.Table, store: FrameStore) -> pa.Table:
    """Add medium, size in px, duration in s, fps and SHA-256; a file that is no medium is rejected."""
    found: list[tuple[Probe | None, str | None, tuple[str, str] | None]] = []
    for place in store.places(table.column("uri").to_pylist()):
        try:
            if isinstance(place, MediaError):
                raise place
            found.append((probe(place, store.settings), file_sha256(place), None))
        except MediaError as error:
            found.append((None, None, (error.reason, error.detail)))
    columns = {n: pa.array([p and getattr(p, n) for p, _, _ in found], ADDS.field(n).type) for n in ADDS.names[:-1]}
    hashes = pa.array([h for _, h, _ in found], pa.string())
    return pa.table({**columns, "sha256": hashes, "reject": rejects(NAME, [v for _, _, v in found])})


def asset_id(sha256: str, start_s: float | None, end_s: float | None) -> str:
    """An id from content and span: the same bytes get the same id wherever they lie."""
    span = "" if start_s is None or end_s is None else f"|{start_s:.3f}|{end_s:.3f}"
    return "a" + hashlib.sha256(f"{sha256}{span}".encode()).hexdigest()[:20]
