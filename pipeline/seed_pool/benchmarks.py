"""Benchmarks whose media must not be in the pool: folders of media, or Parquet files that hold or name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UsageError
from pipeline.media.uris import to_uri

PATH_COLUMNS = ("path", "file", "file_name", "filename", "uri", "image", "video", "image_path", "video_path")
ROWS_A_BATCH = 64


@dataclass(frozen=True)
class Benchmark:
    """A benchmark under the name it has on a leaderboard (mteb's task name), and where its media are."""

    name: str
    path: Path

    @property
    def files(self) -> list[Path]:
        """Every file that the benchmark consists of, sorted."""
        if self.path.is_file():
            return [self.path]
        return sorted(p for p in self.path.rglob("*") if p.is_file())


def parse_benchmark(text: str) -> Benchmark:
    """A benchmark from `PATH` (named after it) or `NAME=PATH`. Raises UsageError when there is nothing."""
    name, equals, rest = text.partition("=")
    path = Path(rest) if equals and not Path(text).exists() else Path(text)
    if not path.exists():
        raise UsageError(f"--exclude {text}: {path} does not exist; name a folder of media or a Parquet file")
    if path.is_file() and path.suffix != ".parquet":
        raise UsageError(f"--exclude {text}: {path} is no folder and no Parquet file")
    return Benchmark(name if path != Path(text) else path.resolve().stem, path)


def check_names(benchmarks: Sequence[Benchmark]) -> None:
    """Raise UsageError when two benchmarks share a name."""
    names = [b.name for b in benchmarks]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise UsageError(f"--exclude names {twice[0]!r} twice; give one another name: --exclude NAME=PATH")


def listing(benchmark: Benchmark) -> list[tuple[str, int, int]]:
    """Path, size in bytes and modification time of every file the benchmark consists of, also of those
    that its Parquet files name: what an exclusion was made from."""
    files = dict.fromkeys(benchmark.files)
    for parquet in [f for f in benchmark.files if f.suffix == ".parquet"]:
        column, kind = media_column(parquet)
        if kind == "path":
            named = (parquet.parent / value for _, value in _named(parquet, column))
            files |= dict.fromkeys(path for path in named if path.is_file())
    return [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]


@dataclass(frozen=True)
class Collection:
    """Media of a benchmark below one folder. items: how a report names each, by URI."""

    root: Path
    items: dict[str, str]


def collections(benchmark: Benchmark, spool: Path) -> list[Collection]:
    """Where the media of a benchmark lie: its own folder, and `spool` for bytes that stand in Parquet,
    which are written there."""
    root = benchmark.path if benchmark.path.is_dir() else benchmark.path.parent
    standing, unpacked = Collection(root.resolve(), {}), Collection(spool.resolve(), {})
    for file in benchmark.files:
        path = root.resolve() / file.relative_to(root)
        if file.suffix != ".parquet":
            uri = to_uri(path, standing.root)
            standing.items.setdefault(uri, uri)
            continue
        column, kind = media_column(file)
        values: Iterable[tuple[str, str | Path]] = (
            _named(file, column) if kind == "path" else _unpacked(file, column, spool)
        )
        for item, place in values:
            if isinstance(place, Path):
                unpacked.items[to_uri(place.resolve(), unpacked.root)] = item
            else:
                standing.items[(path.parent.relative_to(standing.root) / place).as_posix()] = item
    return [c for c in (standing, unpacked) if c.items]


def media_column(parquet: Path) -> tuple[str, str]:
    """The column with the media, and `bytes` or `path`: what holds bytes goes before what names files.

    Raises UsageError when there is no such column.
    """
    try:
        schema = pq.read_schema(parquet)
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"--exclude: {parquet} cannot be read as Parquet: {' '.join(str(error).split())}") from error
    for field in schema:
        if _holds_bytes(field.type):
            return field.name, "bytes"
    for name in PATH_COLUMNS:
        if name in schema.names and pa.types.is_string(schema.field(name).type):
            return name, "path"
    raise UsageError(
        f"--exclude: {parquet} has no column of bytes, of {{bytes, path}} or of paths "
        f"({', '.join(PATH_COLUMNS)}); it has {', '.join(schema.names)}"
    )


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_bytes(kind.value_type)
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _rows(parquet: Path, column: str) -> Iterator[tuple[int, Any]]:
    row = 0
    with pq.ParquetFile(parquet) as file:
        for batch in file.iter_batches(ROWS_A_BATCH, columns=[column]):
            for value in batch.column(0):
                yield row, value.as_py()
                row += 1


def _named(parquet: Path, column: str) -> Iterator[tuple[str, str]]:
    """(item, path relative to the Parquet file's folder) for each path of a column."""
    return ((f"{parquet.name} row {row} ({value})", value) for row, value in _rows(parquet, column) if value)


def _unpacked(parquet: Path, column: str, spool: Path) -> Iterator[tuple[str, str | Path]]:
    """(item, file written) for each medium whose bytes stand in a column; a struct without bytes names a file."""
    folder = spool / parquet.stem
    folder.mkdir(parents=True, exist_ok=True)
    for row, value in _rows(parquet, column):
        for number, medium in enumerate(value if isinstance(value, list) else [value]):
            data, name = (medium.get("bytes"), medium.get("path")) if isinstance(medium, dict) else (medium, None)
            item = f"{parquet.name} row {row}" + (f" ({name})" if name else "")
            if not data and name:
                yield item, name
                continue
            path = folder / f"{row:09d}-{number}"
            path.write_bytes(data or b"")
            yield item, path
