"""What a reader of a layout gives: queries, documents, judgements, each as a stream that can be asked for again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipeline.mine.datasets.items import (
    Content,
    Item,
    Judgement,
    UnusableError,
    checked,
    media_uri,
    optional_text,
    seconds,
)
from pipeline.mine.datasets.records import Record, SourceFile

T = TypeVar("T")


class Source(Protocol):
    """One data set in somebody's files. Two passes give the same rows in the same order."""

    def queries(self) -> Iterator[Item]:
        """Every query, and every row that might have been one."""
        ...

    def corpus(self) -> Iterator[Item]:
        """Every document."""
        ...

    def judgements(self) -> Iterator[Judgement]:
        """Every judged pair."""
        ...


@dataclass(frozen=True)
class Reading:
    """What readers are told beside the files.

    media_root: what paths of media are relative to. columns: of the user's choice, by field.
    """

    media_root: Path
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """Where a value stands: its words for messages, and the URI of bytes in it."""

    where: str
    uri: str | None  # of the row, in a file that media can be read from

    @classmethod
    def of(cls, file: SourceFile, record: Record) -> Cell:
        """The place of a row."""
        return cls(record.where, f"{file.uri}/{record.number}" if file.suffix in (".parquet", ".arrow") else None)


def text_of(value: Any, where: str) -> str | None:
    """A text; a whole number (a label) is one too."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else optional_text(value, where)


def medium_of(value: Any, cell: Cell, column: str, reading: Reading) -> str | None:
    """The URI of a medium: a path or URL, Hugging Face's {bytes, path}, or bytes in the table itself.

    Raises UnusableError for bytes in a text file, and for what leads out of the media root.
    """
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        if cell.uri is None:
            raise UnusableError("bad_value", f"{cell.where} holds bytes that cannot be addressed; write them to a file")
        return f"{cell.uri}/{column}"
    path = optional_text(value, cell.where)
    return None if path is None else media_uri(path, reading.media_root, cell.where)


def content_of(values: Mapping[str, Any], columns: Mapping[str, str], cell: Cell, reading: Reading) -> Content:
    """The content of the fields `text`, `image`, `video`, `start_s`, `end_s`. Raises UnusableError."""
    content = Content(
        text=text_of(values.get("text"), cell.where),
        image=medium_of(values.get("image"), cell, columns.get("image", "image"), reading),
        video=medium_of(values.get("video"), cell, columns.get("video", "video"), reading),
        start_s=seconds(values.get("start_s"), cell.where),
        end_s=seconds(values.get("end_s"), cell.where),
    )
    return checked(content, cell.where)


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size`, the last one shorter."""
    stream = iter(values)
    while batch := list(islice(stream, size)):
        yield batch
