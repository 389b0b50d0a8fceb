"""A list of media: Parquet, CSV, TSV or JSON lines with a column of paths or URLs."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.config import SourceSettings
from pipeline.errors import DataError, UsageError
from pipeline.media.fingerprint import file_sha256
from pipeline.media.places import identity, root_of
from pipeline.media.urls import Url, is_url
from pipeline.seed_pool.sources.columns import NAMES, Columns
from pipeline.seed_pool.sources.containers import inside, media_column
from pipeline.seed_pool.sources.rows import Found

LIST_SUFFIXES = frozenset({".parquet", ".csv", ".tsv", ".jsonl", ".ndjson"})
_BATCH_ROWS = 8192
_PEEKED_LINES = 1000  # of JSON lines, to learn which keys there are


@dataclass(frozen=True)
class ListSource:
    """The rows of a list, in its order; memory holds a batch at a time.

    Relative paths count from `settings.root`, or the list's folder. A Parquet file with a column of
    bytes is a container: its rows are the media. A broken row becomes a reject. A list that has a URL
    is read from a copy; its rows may be relative to its URL, or URLs themselves.
    """

    path: Path
    settings: SourceSettings
    url: Url | None = None  # where `path` is a copy from

    @property
    def media_root(self) -> str:
        root = root_of(self.settings.root) if self.settings.root else None
        if root is None and self.url is not None:
            return str(self.url.parent)
        return str((root or self.path.parent).resolve() if not isinstance(root, str) else root)

    @property
    def _name(self) -> str:
        return self.path.name if self.url is None else self.url.name

    @property
    def _where(self) -> str:
        return str(self.url or self.path)

    def holds(self, path: Path) -> bool:
        del path
        return False

    def identities(self) -> Iterator[Any]:
        if self.url is None:
            yield str(self.path), *identity(self.path)[1:]
        else:  # the time of the copy says nothing
            yield str(self.url), file_sha256(self.path)

    def found(self) -> Iterator[Found]:
        if self.path.suffix.lower() == ".parquet" and media_column(self._schema(), self.settings) is not None:
            yield from inside(self.path, self._name, self.settings)
            return
        any_yet = False
        try:
            for number, (columns, row) in enumerate(self._rows()):
                any_yet = True
                yield row if isinstance(row, Found) else self._found(row, columns, number)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DataError(f"the list {self._where} cannot be read: {' '.join(str(error).split())}") from error
        if not any_yet:
            raise UsageError(f"the list {self._where} has no rows; name one with a path or URL a row")

    def _schema(self) -> pa.Schema:
        try:
            return pq.read_schema(self.path)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self._where} is no Parquet file: {' '.join(str(error).split())}") from error

    def _rows(self) -> Iterator[tuple[Columns, dict[str, Any] | Found]]:
        """Each row with the columns of the list, or the reject that a broken row becomes."""
        suffix = self.path.suffix.lower()
        if suffix == ".parquet":
            yield from self._of_batches(pq.ParquetFile(self.path).iter_batches(batch_size=_BATCH_ROWS))
        elif suffix in {".csv", ".tsv"}:
            yield from self._of_text("\t" if suffix == ".tsv" else ",")
        else:
            yield from self._of_json()

    def _of_batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Columns, dict[str, Any]]]:
        columns: Columns | None = None
        for batch in batches:
            columns = columns or self._columns(batch.schema)
            for row in batch.select([n for n in batch.schema.names if n in columns.names]).to_pylist():
                yield columns, row

    def _of_text(self, delimiter: str) -> Iterator[tuple[Columns, dict[str, Any] | Found]]:
        broken: list[pa.csv.InvalidRow] = []

        def note(row: pa.csv.InvalidRow) -> str:
            broken.append(row)
            return "skip"

        parse = pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note)
        names = pa.csv.open_csv(self.path, parse_options=parse).schema.names
        broken.clear()
        # As bytes: one row that is not UTF-8 must not stop the list.
        as_bytes = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=True)
        reading = pa.csv.ReadOptions(use_threads=False)  # so that broken rows have numbers
        columns = self._columns(pa.schema([pa.field(name, pa.string()) for name in names]))
        number = 0  # of the row, the header being row 0
        for batch in pa.csv.open_csv(self.path, reading, parse, as_bytes):
            for row in batch.select([n for n in names if n in columns.names]).to_pylist():
                number += 1
                while number in {bad.number - 1 for bad in broken if bad.number}:
                    number += 1
                try:
                    yield columns, {n: None if value is None else value.decode() for n, value in row.items()}
                except UnicodeDecodeError as error:
                    yield columns, self._broken(number, f"not UTF-8: {error}")
        for bad in broken:
            detail = f"{bad.actual_columns} columns, the header has {bad.expected_columns}"
            yield columns, self._broken(bad.number - 1 if bad.number else 0, detail)

    def _of_json(self) -> Iterator[tuple[Columns, dict[str, Any] | Found]]:
        with self.path.open("rb") as file:
            seen = [row for line in islice(file, _PEEKED_LINES) if isinstance(row := _parsed(line), dict)]
        if not seen:
            return
        keys = dict.fromkeys(key for row in seen for key in _simple(row))
        columns = self._columns(pa.schema([pa.field(key, pa.string()) for key in keys]))
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                if line.strip():
                    row = _parsed(line)
                    yield columns, row if isinstance(row, dict) else self._broken(number, f"no JSON object: {row}")

    def _columns(self, schema: pa.Schema) -> Columns:
        columns = Columns.of_schema(schema, self.settings)
        if columns.place is None:
            raise UsageError(
                f"the list {self._where} has no column of paths or URLs; there are {', '.join(schema.names)}; "
                f"name one with --set seed_pool.sources.columns.uri=COLUMN, or call it one of {', '.join(NAMES['uri'])}"
            )
        return columns

    def _found(self, row: dict[str, Any], columns: Columns, number: int) -> Found:
        """number: of the row, from 0; broken rows of a CSV file do not count."""
        given, place = str(row.get(columns.place or "") or "").strip(), f"{self._name}/{number}/{columns.place}"
        if not given:
            detail = f"a row names no path or URL in column {columns.place!r}"
            return Found(self._name, ("empty_path", detail), row=place)
        return Found(self._uri(given), None, columns.known(row), row=place)

    def _broken(self, number: int, detail: str) -> Found:
        return Found(f"{self._name}/{number}", ("bad_row", detail[:500]))

    def _uri(self, given: str) -> str:
        """As it is written for a URL; for a file relative to the media root where it lies below it."""
        if is_url(given) or is_url(self.media_root):
            return given
        path, root = Path(given), Path(self.media_root)
        return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _parsed(line: bytes) -> dict[str, Any] | str:
    """The object in a line, or what is wrong with it."""
    try:
        value = json.loads(line.removeprefix(codecs.BOM_UTF8).decode())
    except ValueError as error:
        return str(error)
    return value if isinstance(value, dict) else f"a {type(value).__name__}"


def _simple(row: dict[str, Any]) -> list[str]:
    """The keys whose values are text or numbers."""
    return [key for key, value in row.items() if isinstance(value, str | int)]
