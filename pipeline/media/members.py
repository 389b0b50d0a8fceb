"""Media inside other files: members of a tar, rows of an Arrow or Parquet file.

A member is read where it lies; nothing is unpacked. Its URI is the container's, a slash, and its name:
`00000.tar/000017.jpg`, `data-00000.arrow/17/image` (row from 0, column).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import MediaError

_TAR_MAGIC_AT = 257
_HEAD_BYTES = 512
CONTAINER_SUFFIXES = frozenset({".tar", ".arrow", ".parquet"})  # worth looking inside
_KEPT_INDEXES = 8  # containers whose index a process remembers
Kind = Literal["tar", "arrow", "parquet"]


@dataclass(frozen=True)
class Member:
    """One medium inside a container file."""

    container: Path
    name: str


@dataclass(frozen=True)
class Entry:
    """Where a member of a tar lies. `regular` is false for links, folders, devices."""

    name: str
    offset: int
    size: int
    regular: bool


def container_kind(path: Path) -> Kind | None:
    """Which container a file is, from its bytes; None for any other file. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar":
        return "tar"
    if head.startswith(b"PAR1"):
        return "parquet"
    # An Arrow stream begins with a continuation mark and the length of its schema.
    return "arrow" if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")) else None


def tar_entries(path: Path) -> Iterator[Entry]:
    """The members of an uncompressed tar in order, from their headers alone.

    Raises MediaError truncated or corrupt_container behind the last entry that can be read.
    """
    size = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header it has read
                if member.isreg() and member.offset_data + member.size > size:
                    raise MediaError("truncated", f"the tar ends inside its member {member.name!r}")
                if not member.isdir():
                    yield Entry(member.name, member.offset_data, member.size, member.isreg())
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise MediaError("corrupt_container", f"not a readable tar: {' '.join(str(error).split())}") from error


def open_member(member: Member) -> BinaryIO:
    """The bytes of a member, seekable. Raises MediaError missing, empty_file, not_a_file, or of the container."""
    stamp = member.container.stat().st_mtime_ns
    kind = container_kind(member.container)
    if kind == "tar":
        entry = _tar_index(member.container, stamp).get(member.name)
        if entry is None:
            raise MediaError("missing", f"{member.container.name} has no member {member.name!r}")
        if not entry.regular:
            raise MediaError("not_a_file", "a link, device or pipe inside a tar")
        if entry.size == 0:
            raise MediaError("empty_file", "0 bytes")
        return io.BufferedReader(_Window(member.container, entry.offset, entry.size))
    if kind is None:
        raise MediaError("missing", f"{member.container.name} is a file, and no tar, Arrow or Parquet file")
    return io.BytesIO(_cell(member, kind, stamp))


@lru_cache(maxsize=_KEPT_INDEXES)
def _tar_index(path: Path, stamp: int) -> Mapping[str, Entry]:
    """Members by name; of a name that stands twice the first counts. stamp: when the file changed last."""
    del stamp
    index: dict[str, Entry] = {}
    try:
        for entry in tar_entries(path):
            index.setdefault(entry.name, entry)
    except MediaError:
        if not index:
            raise
    return MappingProxyType(index)


class _Window(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self._file = path.open("rb")
        self._offset, self._size, self._at = offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"negative seek position {start + offset}")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = max(0, min(len(buffer), self._size - self._at))
        self._file.seek(self._offset + self._at)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


@lru_cache(maxsize=_KEPT_INDEXES)
def arrow_batches(path: Path, stamp: int) -> tuple[pa.RecordBatch, ...]:
    """The batches of an Arrow file, memory-mapped: nothing is read before it is asked for."""
    del stamp
    source = pa.memory_map(str(path))
    try:
        reader = pa.ipc.open_file(source)
        return tuple(reader.get_batch(i) for i in range(reader.num_record_batches))
    except pa.ArrowInvalid:
        source.seek(0)
        return tuple(pa.ipc.open_stream(source))


@lru_cache(maxsize=1)
def _row_group(path: Path, stamp: int, group: int, column: str) -> pa.ChunkedArray:
    del stamp
    return pq.ParquetFile(path).read_row_group(group, columns=[column]).column(0)


def _cell(member: Member, kind: Kind, stamp: int) -> bytes:
    """The bytes in a row and column: a binary cell, or the `bytes` of a Hugging Face image or video."""
    row_text, _, column = member.name.partition("/")
    if not row_text.isdecimal():
        raise MediaError("missing", f"{member.name!r} does not begin with a row number")
    row = int(row_text)
    try:
        read = _arrow_value if kind == "arrow" else _parquet_value
        value = read(member, stamp, row, column)
    except (pa.ArrowException, OSError, LookupError) as error:
        detail = " ".join(str(error).split())
        raise MediaError("corrupt_container", f"row {row}, column {column!r}: {detail}") from error
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes):
        raise MediaError("missing", f"row {row} has no bytes in column {column!r}")
    if not data:
        raise MediaError("empty_file", "0 bytes")
    return data


def _arrow_value(member: Member, stamp: int, row: int, column: str) -> Any:
    for batch in arrow_batches(member.container, stamp):
        if row < batch.num_rows:
            return batch.column(column)[row].as_py()
        row -= batch.num_rows
    raise MediaError("missing", f"{member.container.name} has no row of this number")


def _parquet_value(member: Member, stamp: int, row: int, column: str) -> Any:
    metadata = pq.read_metadata(member.container)
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if row < rows:
            return _row_group(member.container, stamp, group, column)[row].as_py()
        row -= rows
    raise MediaError("missing", f"{member.container.name} has no row of this number")
