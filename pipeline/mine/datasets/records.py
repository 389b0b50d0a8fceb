"""Rows of somebody's files: JSON lines, CSV, TSV (also gzipped), Parquet and Arrow, a batch in memory at a time."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import DataError
from pipeline.media.members import arrow_batches

JSON_SUFFIXES = (".jsonl", ".ndjson")
TEXT_SUFFIXES = (*JSON_SUFFIXES, ".csv", ".tsv")
TABLE_SUFFIXES = (".parquet", ".arrow")
BATCH_ROWS = 2048
MEDIA_BATCH_ROWS = 32  # of a table that holds pictures or clips themselves
MAX_LINE_BYTES = 1 << 26  # a longer line is no row of a data set, and must not fill the memory
MAX_CELL_CHARS = 1 << 24
GZIP_MAGIC = b"\x1f\x8b"
PEEKED_ROWS = 1000  # of JSON lines, to learn which keys there are
_ESCAPED = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of a byte that is not UTF-8


class Undecodable:
    """Stands for a cell of a table whose text is not UTF-8."""


UNDECODABLE = Undecodable()


@dataclass(frozen=True)
class Record:
    """One row, or what is wrong with it."""

    where: str  # file and line, as people look it up
    number: int  # of the row in a table, from 0; of the line in a text file, from 1
    row: dict[str, Any] | None
    problem: tuple[str, str] | None = None  # reason, detail


@dataclass(frozen=True)
class SourceFile:
    """A file of rows. `uri`: its path relative to the data set's folder, its name in every message."""

    path: Path
    uri: str

    @property
    def suffix(self) -> str:
        """The ending that tells the format: `.tsv` of `train.tsv.gz`."""
        return suffix_of(self.path)

    def columns(self) -> list[str]:
        """The names of its columns; of JSON lines those of the first rows. Raises DataError when it cannot be read."""
        if self.suffix in TABLE_SUFFIXES:
            with _readable(self):
                if self.suffix == ".parquet":
                    return [str(n) for n in pq.read_schema(self.path).names]
                batches = arrow_batches(self.path, self.path.stat().st_mtime_ns)
                return [str(n) for n in batches[0].schema.names] if batches else []
        if self.suffix in (".csv", ".tsv"):
            with _readable(self), self._text() as text:
                return list(next(self._cells(text), []))
        rows = (r.row for r, _ in zip(self.records(), range(PEEKED_ROWS), strict=False) if r.row is not None)
        return list(dict.fromkeys(key for row in rows for key in row))

    def records(self, columns: Sequence[str] | None = None, header: Sequence[str] | None = None) -> Iterator[Record]:
        """All rows in order. columns: those wanted of a table; text files are read whole. header: the
        names of the columns of a CSV or TSV file whose first line is a row like any other.

        Raises DataError when the file as a whole cannot be read.
        """
        with _readable(self):
            if self.suffix == ".parquet":
                with pq.ParquetFile(self.path, pre_buffer=False) as file:  # else it holds all it has read
                    at_once = _rows_at_once(file.schema_arrow, columns)
                    yield from self._of_batches(file.iter_batches(batch_size=at_once, columns=columns), None)
            elif self.suffix == ".arrow":
                batches = arrow_batches(self.path, self.path.stat().st_mtime_ns)
                yield from self._of_batches(batches, columns)
            elif self.suffix in (".csv", ".tsv"):
                yield from self._of_cells(header)
            else:
                yield from self._of_json()

    def _of_batches(self, batches: Iterable[pa.RecordBatch], columns: Sequence[str] | None) -> Iterator[Record]:
        number = 0
        for whole in batches:
            wanted = whole if columns is None else whole.select([c for c in columns if c in whole.schema.names])
            at_once = _rows_at_once(wanted.schema, None)
            for start in range(0, len(wanted), at_once):
                batch = wanted.slice(start, at_once)
                try:
                    rows: Iterable[dict[str, Any]] = batch.to_pylist()
                except UnicodeDecodeError:  # one bad cell must not cost its neighbours
                    rows = (_row(batch, i) for i in range(len(batch)))
                for row in rows:
                    yield Record(f"{self.uri} row {number}", number, row)
                    number += 1

    def _of_json(self) -> Iterator[Record]:
        with self._opened() as file:
            for number, line in enumerate(_lines(file), 1):
                where = f"{self.uri}:{number}"
                if line is None:
                    yield Record(where, number, None, ("line_too_long", f"{where} has over {MAX_LINE_BYTES} bytes"))
                elif line.strip():
                    yield _parsed(line, where, number)

    def _of_cells(self, header: Sequence[str] | None) -> Iterator[Record]:
        with self._text() as text:
            rows = self._cells(text)
            names = header or next(rows, [])
            while True:
                number = rows.line_num + 1
                where = f"{self.uri}:{number}"
                try:
                    cells = next(rows)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield Record(where, number, None, ("bad_row", f"{where}: {error}"))
                    continue
                if any(map(_ESCAPED.search, cells)):
                    yield Record(where, number, None, ("bad_utf8", f"{where} holds bytes that are not UTF-8"))
                elif len(cells) == len(names):
                    yield Record(where, number, dict(zip(names, cells, strict=True)))
                elif cells:
                    found = f"{where} has {len(cells)} columns, the header {len(names)}"
                    yield Record(where, number, None, ("bad_row", found))

    def _opened(self) -> BinaryIO:
        with self.path.open("rb") as file:
            packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        return cast("BinaryIO", gzip.open(self.path)) if packed else self.path.open("rb")

    def _text(self) -> io.TextIOWrapper:
        # Bytes that are not UTF-8 travel as lone surrogates, so that only their row is lost.
        return io.TextIOWrapper(self._opened(), encoding="utf-8-sig", errors="surrogateescape", newline="")

    def _cells(self, text: io.TextIOWrapper) -> Any:
        """A csv.reader. In TSV a quote is a character like any other, as BEIR and MS MARCO write it."""
        csv.field_size_limit(MAX_CELL_CHARS)  # the module's default cuts long passages off with an error
        if self.suffix == ".tsv":
            return csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
        return csv.reader(text)


def suffix_of(path: Path) -> str:
    """The lower-case ending that tells the format, without `.gz`."""
    return (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()


def _rows_at_once(schema: pa.Schema, columns: Sequence[str] | None) -> int:
    kinds = [field.type for field in schema if columns is None or field.name in columns]
    return MEDIA_BATCH_ROWS if any(map(_holds_bytes, kinds)) else BATCH_ROWS


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        return any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


class _readable:  # noqa: N801 - reads as a statement
    """Turns what reading a damaged file raises into a DataError that names it."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, pa.ArrowException | OSError | EOFError | zlib.error):
            what = " ".join(str(error).split()) or type(error).__name__
            raise DataError(
                f"{self.file.path} cannot be read ({what}); it is damaged or cut off: copy or download it again"
            ) from error


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """The lines of a file; None for one that is too long, which is read past."""
    first = True
    while line := file.readline(MAX_LINE_BYTES):
        if first and line.startswith(codecs.BOM_UTF8):
            line = line.removeprefix(codecs.BOM_UTF8)
        first = False
        if len(line) < MAX_LINE_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            pass
        yield None


def _parsed(line: bytes, where: str, number: int) -> Record:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return Record(where, number, None, ("bad_utf8", f"{where} is not UTF-8: {error}"))
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Record(where, number, None, ("bad_json", f"{where} is no JSON: {error}"))
    if not isinstance(value, dict):
        return Record(where, number, None, ("bad_json", f"{where} is a {type(value).__name__}, not an object"))
    return Record(where, number, value)


def _row(batch: pa.RecordBatch, i: int) -> dict[str, Any]:
    return {name: _cell(batch.column(name)[i]) for name in batch.schema.names}


def _cell(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        return UNDECODABLE
