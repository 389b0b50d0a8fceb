"""Typed Parquet data sets on disk: written whole or not at all, read only when complete.

A data set is a folder of `part-*.parquet` and `_manifest.json`, which is written last and is
what a rerun trusts. It is built beside its place and moved there by one rename, so a reader
never sees half of one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.atomic import replacing, replacing_folder
from pipeline.errors import DataError
from pipeline.schemas import conform

MANIFEST = "_manifest.json"
ROWS_PER_SHARD = 50_000


@dataclass(frozen=True)
class Manifest:
    """What a data set says of itself. `fingerprint` names the input and settings it was made
    from: equal fingerprints mean equal rows."""

    rows: int
    fingerprint: str
    config: dict[str, Any] = field(default_factory=dict)
    media_root: str | None = None
    complete: bool = True
    package_version: str = field(default_factory=lambda: version("seedmine"))


def write_json(path: Path, value: Any) -> None:
    """Write JSON by a rename, so that a reader sees the old text or the new, never half."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=2, sort_keys=True)
        file.write("\n")


def write_dataset(
    folder: Path, tables: pa.Table | Iterable[pa.Table], schema: pa.Schema, manifest: Manifest, work: Path
) -> int:
    """Replace `folder` by a data set of the rows of `tables` in the types of `schema`; give their number.

    Holds one shard in memory. work: a folder on the same file system for what is temporary. No
    rows still give one empty, typed shard; the manifest takes the number that was written. Raises
    pa.ArrowInvalid when a value does not fit its type, OSError when the disk is full; `folder` is
    then as it was.
    """
    rows = 0
    with replacing_folder(folder, work) as staging:
        parts = [tables] if isinstance(tables, pa.Table) else tables
        typed = (conform(part, schema) for part in parts)
        for number, shard in enumerate(regrouped(chain([schema.empty_table()], typed), ROWS_PER_SHARD)):
            pq.write_table(shard, staging / f"part-{number:05d}.parquet", compression="zstd")
            rows += len(shard)
        write_json(staging / MANIFEST, asdict(replace(manifest, rows=rows)))
    return rows


def shard_paths(folder: Path) -> list[Path]:
    """The shards of a data set, in order; none where there is no such folder."""
    return sorted(folder.glob("part-*.parquet"))


def regrouped(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The rows of `tables` (at least one, all of one schema) in tables of `rows`, the last one shorter.

    At least one table, however few rows there are.
    """
    waiting: pa.Table | None = None
    any_yet = False
    for table in tables:
        waiting = table if waiting is None else pa.concat_tables([waiting, table], promote_options="permissive")
        while len(waiting) >= rows:
            yield waiting.slice(0, rows)
            waiting, any_yet = waiting.slice(rows), True
    if waiting is not None and (len(waiting) or not any_yet):
        yield waiting


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a complete data set; None where there is none. Raises DataError when damaged."""
    path = folder / MANIFEST
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest(**{k: v for k, v in values.items() if k in Manifest.__dataclass_fields__})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is damaged ({error}); delete {folder} and run the command that makes it again"
        ) from error
    return manifest if manifest.complete else None


@dataclass(frozen=True)
class Finished:
    """What a run that came to its end left in its folder. rows: by data set."""

    rows: dict[str, int]
    summary: dict[str, Any]


def finished(folder: Path, datasets: Sequence[str], key: str) -> Finished | None:
    """What is in `folder` when its summary.json and the data sets beside it all carry the fingerprint `key`.

    The summary is written last: without it the run was killed. Raises DataError for a damaged manifest.
    """
    manifests = [m for name in datasets if (m := read_manifest(folder / name)) is not None and m.fingerprint == key]
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if len(manifests) < len(datasets) or summary.get("fingerprint") != key:
        return None
    return Finished({name: m.rows for name, m in zip(datasets, manifests, strict=True)}, summary)


def read_dataset(folder: Path, columns: list[str] | None = None) -> pa.Table:
    """All rows, in shard order. Raises DataError when the data set is missing, incomplete or damaged."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise DataError(f"{folder} holds no complete data set; run the command that makes it first")
    try:
        parts = [pq.read_table(p, columns=columns) for p in shard_paths(folder)]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{folder} cannot be read: {error}") from error
    if not parts:
        raise DataError(f"{folder} has a manifest but no shards; delete it and run the command that makes it again")
    table = pa.concat_tables(parts)
    if len(table) != manifest.rows:
        raise DataError(f"{folder} holds {len(table)} rows, its manifest says {manifest.rows}; delete it and run again")
    return table
