"""Media inside tars, Arrow and Parquet files, as rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import SourceSettings
from pipeline.errors import MediaError, UsageError
from pipeline.media.members import Entry, arrow_batches, container_kind, tar_entries
from pipeline.seed_pool.sources.columns import Columns
from pipeline.seed_pool.sources.rows import Found, folder_label
from pipeline.seed_pool.sources.sidecars import by_stem

_BATCH_ROWS = 256
CONTAINER = "container"
_USUAL = frozenset({"image", "img", "jpg", "jpeg", "png", "webp", "video", "mp4", "media", "bytes", "content", "data"})


def inside(path: Path, uri: str, settings: SourceSettings) -> Iterator[Found]:
    """The container as a reject, so that it is counted, then its members.

    An Arrow or Parquet file without a column of media is a file like any other: one row.
    """
    kind = container_kind(path)
    if kind == "tar":
        yield from _tar(path, uri, settings)
    elif kind == "arrow":
        yield from _rows(uri, _arrow(path), settings)
    elif kind == "parquet":
        yield from _rows(uri, _parquet(path), settings)


def _tar(path: Path, uri: str, settings: SourceSettings) -> Iterator[Found]:
    entries: dict[str, Entry] = {}
    repeated: list[str] = []
    failure: MediaError | None = None
    try:
        for entry in tar_entries(path):
            if entry.name in entries:
                repeated.append(entry.name)
            entries.setdefault(entry.name, entry)
    except MediaError as error:
        failure = error
    media, sidecars = by_stem([n for n in entries if not PurePosixPath(n).name.startswith(".")])
    if failure is None:
        yield Found(uri, (CONTAINER, f"a tar; its {len(media)} members have rows of their own"))
    else:
        yield Found(uri, (failure.reason, f"{failure.detail}; its first {len(media)} members have rows of their own"))
    for name in media:
        beside = [f"{uri}/{s}" for s in sidecars.get(name, [])]
        yield Found(f"{uri}/{name}", _unusable(entries[name]), folder_label(name, settings), beside)
    for name in repeated:
        yield Found(f"{uri}/{name}", ("repeated_member", "the tar holds this name twice; the first one counts"))


def _unusable(entry: Entry) -> tuple[str, str] | None:
    if not entry.regular:
        return "not_a_file", "a link, device or pipe inside a tar"
    if entry.name.startswith("/") or ".." in PurePosixPath(entry.name).parts:
        return "outside_media_root", f"the member name {entry.name!r} leads out of the tar"
    return None


def _arrow(path: Path) -> Iterator[pa.RecordBatch]:
    yield from arrow_batches(path, path.stat().st_mtime_ns)


def _parquet(path: Path) -> Iterator[pa.RecordBatch]:
    yield from pq.ParquetFile(path).iter_batches(batch_size=_BATCH_ROWS)


def _rows(uri: str, batches: Iterator[pa.RecordBatch], settings: SourceSettings) -> Iterator[Found]:
    first = 0
    columns: Columns | None = None
    medium: str | None = None
    try:
        for batch in batches:
            if columns is None:
                medium = media_column(batch.schema, settings)
                columns = Columns.of_schema(batch.schema, settings, medium)
                if medium is None:
                    break
                yield Found(uri, (CONTAINER, _said(medium, batch.schema)))
            wanted = batch.select([n for n in batch.schema.names if n != medium and n in columns.names])
            paths = _paths(batch.column(medium or ""))
            for i, row in enumerate(wanted.to_pylist()):
                cell = f"{uri}/{first + i}/{medium}"
                place = cell if paths[i] is None else _beside(uri, paths[i])
                yield Found(place, None, columns.known(row), row=cell)
            first += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        yield Found(uri, ("corrupt_container", f"cannot be read behind row {first}: {' '.join(str(error).split())}"))
        return
    if medium is None:
        yield Found(uri)


def media_column(schema: pa.Schema, settings: SourceSettings) -> str | None:
    """The column of media that the settings name; else the first of Hugging Face's ({bytes, path}), else of bytes.

    Of bytes one with a usual name goes first. None where there is none. Raises UsageError for a named
    one that holds none.
    """
    found = _media_columns(schema)
    named = settings.columns.media
    if named is not None and named in schema.names and named not in found:
        raise UsageError(f"column {named!r} holds {schema.field(named).type}, no media; there are {', '.join(found)}")
    return named if named in found else next(iter(found), None)


def _media_columns(schema: pa.Schema) -> list[str]:
    """All columns that may hold media, the likeliest first."""
    pairs: list[str] = []
    usual: list[str] = []
    other: list[str] = []
    for field in schema:
        kind = field.type
        if pa.types.is_struct(kind) and {"bytes", "path"} <= {kind.field(i).name for i in range(kind.num_fields)}:
            pairs.append(str(field.name))
        elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            (usual if field.name.lower() in _USUAL else other).append(str(field.name))
    return [*pairs, *usual, *other]


def _said(medium: str, schema: pa.Schema) -> str:
    others = [name for name in _media_columns(schema) if name != medium]
    more = f"; {', '.join(others)} not read (seed_pool.sources.columns.media)" if others else ""
    return f"media in column {medium!r}; its rows have rows of their own{more}"


def _paths(column: pa.Array) -> list[Any]:
    """Where a Hugging Face medium lies in a file of its own: its path when it has no bytes; else None."""
    if not pa.types.is_struct(column.type):
        return [None] * len(column)
    has_bytes = column.field("bytes").is_valid().to_pylist()
    return [None if has else path for has, path in zip(has_bytes, column.field("path").to_pylist(), strict=True)]


def _beside(uri: str, path: str) -> str:
    """The URI of a file that a row of `uri` names by a path relative to it."""
    return os.path.normpath(f"{PurePosixPath(uri).parent}/{path}") if not path.startswith("/") else path
