"""Reads a run's files for the page: streamed in narrow batches, never a whole wide table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import DataError
from pipeline.store.shards import Manifest, read_manifest, shard_paths

BATCH_ROWS = 8192


def batches(folder: Path, columns: Sequence[str], rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
    """Yield the rows of a data set in shard order, `rows` at a time, with `columns` only.

    A column may be a path into nested fields, e.g. `positives.list.element.score`.
    Raises DataError when a shard is damaged or lacks a column.
    """
    for shard in _shards(folder):
        try:
            with pq.ParquetFile(shard) as file:
                _check_columns(shard, file, columns)
                for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
                    yield pa.Table.from_batches([batch])
        except (pa.ArrowException, OSError) as error:
            raise _damaged(shard, error) from error


def take(folder: Path, positions: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows at `positions` (0 is the first row of the first shard), in the order of `positions`.

    Shards that hold none of them are not decoded.
    """
    wanted = sorted(positions)
    found: dict[int, dict[str, Any]] = {}
    offset = 0
    for shard in _shards(folder):
        try:
            with pq.ParquetFile(shard) as file:
                end = offset + file.metadata.num_rows
                if not any(offset <= p < end for p in wanted):
                    offset = end
                    continue
                _check_columns(shard, file, columns)
                for batch in file.iter_batches(batch_size=1024, columns=list(columns)):
                    inside = [p for p in wanted if offset <= p < offset + len(batch)]
                    rows = batch.take(pa.array([p - offset for p in inside], pa.int64())).to_pylist()
                    found |= zip(inside, rows, strict=True)
                    offset += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(shard, error) from error
    return [found[p] for p in positions]


def summary(folder: Path) -> dict[str, Any]:
    """`summary.json` of a folder, empty where there is none. Raises DataError when it is damaged."""
    path = folder / "summary.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as error:
        raise DataError(f"{path} cannot be read ({error}); run the command that makes it again") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} holds a {type(value).__name__}, not the counts of a run; run the command again")
    return value


def data_sets(folder: Path, inner: str) -> list[tuple[str, Manifest]]:
    """Names and manifests of the complete data sets `<folder>/<name>/<inner>`, by name."""
    if not folder.is_dir():
        return []
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    manifests = [(name, read_manifest(folder / name / inner)) for name in names]
    return [(name, manifest) for name, manifest in manifests if manifest is not None]


def setting(config: dict[str, Any], key: str) -> Any:
    """The value of a dotted key in a manifest's config; None where the run did not record it."""
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def strings(values: Iterable[str]) -> pa.Array:
    """A set of strings for `pc.is_in`."""
    return pa.array(sorted(values), pa.string())


def _shards(folder: Path) -> list[Path]:
    shards = shard_paths(folder)
    if not shards:
        raise DataError(f"{folder} holds no shards; run the command that makes it again")
    return shards


def _check_columns(shard: Path, file: pq.ParquetFile, columns: Sequence[str]) -> None:
    paths = [file.schema.column(i).path for i in range(len(file.schema))]
    missing = [c for c in columns if not any(p == c or p.startswith(f"{c}.") for p in paths)]
    if missing:
        raise DataError(f"{shard} lacks the columns {missing}; it was not written by this version")


def _damaged(shard: Path, error: Exception) -> DataError:
    return DataError(f"{shard} cannot be read ({error}); delete its folder and run the command that makes it again")
