"""The spans that training rows name -> files: each source file is decoded once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import MediaError
from pipeline.media.clips import VERSION, Span, cut, suffix
from pipeline.media.frames import FrameStore
from pipeline.media.opening import open_medium
from pipeline.media.places import Place, identity
from pipeline.stage import PARENT, Split, rejects

NAME = "cut"
_SPAN = [pa.field("start_s", pa.float64()), pa.field("end_s", pa.float64())]
READS = ("uri", "spans")
ADDS = pa.schema([*_SPAN, pa.field("clip", pa.string())])
FILES = pa.schema([pa.field("uri", pa.string()), pa.field("spans", pa.list_(pa.struct(_SPAN)))])

Key = tuple[str, float | None, float | None]  # URI, start_s, end_s of a content


@dataclass(frozen=True)
class ClipSource:
    """Where videos are read and clips are written."""

    store: FrameStore
    folder: Path


def cutting(source: ClipSource) -> Split:
    """The split of a file into its clips."""
    return Split(NAME, cut_files, source, READS, ADDS)


def files_of(keys: Iterable[Key]) -> pa.Table:
    """Spans by file, in the order of URI and time: the input of `cutting`."""
    spans: dict[str, list[dict[str, float | None]]] = {}
    for uri, start_s, end_s in sorted(set(keys), key=lambda k: (k[0], k[1] or 0.0, k[2] or 0.0)):
        spans.setdefault(uri, []).append({"start_s": start_s, "end_s": end_s})
    return pa.table({"uri": list(spans), "spans": list(spans.values())}, schema=FILES)


def cut_files(table: pa.Table, source: ClipSource) -> pa.Table:
    """Add `clip`, the path of a span's file; a clip that is there already is not cut again.

    A span that cannot be cut is rejected with the reason of its medium.
    """
    source.folder.mkdir(parents=True, exist_ok=True)
    children: list[dict[str, Any]] = []
    for parent, row in enumerate(table.to_pylist()):
        spans = [(s["start_s"], s["end_s"]) for s in row["spans"]]
        try:
            place = source.store.place(row["uri"])
            targets = _targets(place, row["uri"], spans, source)
            missing = [(span, target) for span, target in targets if not target.exists()]
            failed = dict(zip((t for _, t in missing), cut(place, missing, source.store.settings), strict=True))
            made = [(str(target), failed.get(target)) for _, target in targets]
        except MediaError as error:
            made = [("", error)] * len(spans)
        for (start_s, end_s), (clip, failure) in zip(spans, made, strict=True):
            verdict = None if failure is None else (failure.reason, failure.detail)
            child = {PARENT: parent, "start_s": start_s, "end_s": end_s, "clip": None if failure else clip}
            children.append({**child, "verdict": verdict})
    columns = {f.name: pa.array([c[f.name] for c in children], f.type) for f in ADDS}
    parents = pa.array([c[PARENT] for c in children], pa.int32())
    return pa.table({PARENT: parents, **columns, "reject": rejects(NAME, [c["verdict"] for c in children])})


def _targets(
    place: Place, uri: str, spans: list[tuple[float | None, float | None]], source: ClipSource
) -> list[tuple[Span, Path]]:
    """Each span with its file, named by all that decides about its bytes."""
    open_medium(place).close()  # says why where it cannot be read
    targets = []
    for start_s, end_s in spans:
        span = (start_s or 0.0, end_s)
        made_of = [VERSION, uri, identity(place), span, source.store.settings.max_side_px]
        name = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:24]
        targets.append((span, source.folder / f"{name}{suffix(span)}"))
    return targets
