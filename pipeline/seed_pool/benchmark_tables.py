"""The media in the tables of a benchmark: Parquet and Arrow files that hold them as bytes, or name their files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UsageError

TABLE_SUFFIXES = frozenset({".parquet", ".arrow"})
_ROWS_A_BATCH = 64
# `image`, `query_image`, `image_2`, `videos`, `imagePath`, `file_name`, but neither `image_id` nor `image_caption`.
_NAMES_FILES = re.compile(r"(?:^|_)(?:path|file|file_?name|uri|image|img|picture|photo|frame|video|clip)s?_?\d*$")
_OF_A_NAME = re.compile(r"_?(?:path|file|file_?name|uri)s?$")


@dataclass(frozen=True)
class TableMedium:
    """One medium of a table: its bytes, or the path of its file relative to the table's folder."""

    row: int
    column: str  # of a field in a struct `column.field`
    data: bytes | None
    path: str | None  # where there are bytes, the name they once had


def table_media(table: Path) -> Iterator[TableMedium]:
    """Every medium of every row, in the order of columns.

    Media are binary values, structs with `bytes` (as Hugging Face writes them; where those are null, `path` names a
    file) and texts in columns that are called after paths or pictures; also in lists and structs. A null is none. A
    path that leads nowhere is passed over where it is but the name of bytes in the same row (`file_name` or
    `image_path` beside `image`). Raises UsageError when the table cannot be read or has no such column.
    """
    row = 0
    with _Opened(table) as opened:
        wanted = [f for f in opened.schema if _holds(f.type, f.name)]
        if not wanted:
            raise UsageError(
                f"--exclude: {table} has no column of bytes, of {{bytes, path}} or of paths "
                f"(image, file_name, target_image, ...); it has {', '.join(opened.schema.names)}"
            )
        for batch in opened.batches([f.name for f in wanted]):
            columns = [batch.column(batch.schema.get_field_index(f.name)) for f in wanted]
            for i in range(batch.num_rows):
                values = zip(wanted, columns, strict=True)
                found = [m for f, c in values for m in _media(f.type, f.name, c[i].as_py(), row)]
                yield from _without_names(found, table.parent)
                row += 1


def is_there(path: Path) -> bool:
    """Whether a path that a table gives is that of a file; false also for what can be no name."""
    try:
        return path.is_file()
    except OSError:  # longer than a name may be
        return False


class _Opened:
    """A table whose rows are read a few at a time. Whatever pyarrow raises meanwhile is a UsageError."""

    schema: pa.Schema
    batches: Callable[[list[str]], Iterator[pa.RecordBatch]]

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> _Opened:
        try:
            self._open()
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error
        return self

    def _open(self) -> None:
        if self._path.suffix == ".parquet":
            file = self._file = pq.ParquetFile(self._path)
            self.schema = file.schema_arrow
            self.batches = lambda names: file.iter_batches(_ROWS_A_BATCH, columns=names)
            return
        source = self._file = pa.memory_map(str(self._path))
        try:
            reader = pa.ipc.open_file(source)
            numbers = range(reader.num_record_batches)
            self.batches = lambda names: (reader.get_batch(i).select(names) for i in numbers)
        except pa.ArrowInvalid:  # a stream, as Hugging Face writes them
            source.seek(0)
            reader = pa.ipc.open_stream(source)
            self.batches = lambda names: (batch.select(names) for batch in reader)
        self.schema = reader.schema

    def _unreadable(self, error: Exception) -> UsageError:
        return UsageError(f"--exclude: {self._path} cannot be read: {' '.join(str(error).split())}")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._file.close()
        if isinstance(error, pa.ArrowException | OSError):
            raise self._unreadable(error) from error


def _names_files(column: str) -> bool:
    """Whether a column of texts is called as one of paths."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+", "_", column.rpartition(".")[2]).lower()
    return _NAMES_FILES.search(snake) is not None


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_medium(kind: pa.DataType) -> bool:
    """Whether a struct is one medium: it has `bytes`."""
    return kind.get_field_index("bytes") >= 0 and _is_binary(kind.field("bytes").type)


def _holds(kind: pa.DataType, column: str) -> bool:
    """Whether values of this type, in a column of this name, can be media."""
    if _is_list(kind):
        return _holds(kind.value_type, column)
    if pa.types.is_struct(kind):
        return _is_medium(kind) or any(_holds(f.type, f"{column}.{f.name}") for f in kind)
    return _is_binary(kind) or (_is_text(kind) and _names_files(column))


def _media(kind: pa.DataType, column: str, value: Any, row: int) -> Iterator[TableMedium]:
    if value is None:
        return
    if _is_list(kind):
        for one in value:
            yield from _media(kind.value_type, column, one, row)
    elif pa.types.is_struct(kind):
        if not _is_medium(kind):
            for field in kind:
                yield from _media(field.type, f"{column}.{field.name}", value[field.name], row)
        elif value["bytes"] is not None or value.get("path"):
            yield TableMedium(row, column, value["bytes"], value.get("path"))
    elif _is_binary(kind):
        yield TableMedium(row, column, value, None)
    elif value and _is_text(kind) and _names_files(column):
        yield TableMedium(row, column, None, value)


def _without_names(found: list[TableMedium], folder: Path) -> Iterator[TableMedium]:
    """What is found in a row, less the paths that are but names of its bytes."""
    bytes_in = {m.column for m in found if m.data is not None}
    for medium in found:
        if medium.data is None and bytes_in:
            of = _OF_A_NAME.sub("", medium.column)
            called = medium.column != of and (not of or of in bytes_in)
            if called and not is_there(folder / (medium.path or "")):
                continue
        yield medium
