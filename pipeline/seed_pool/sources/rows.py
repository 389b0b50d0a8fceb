"""The rows every source gives, and what a source is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import pyarrow as pa

from pipeline.config import SourceSettings
from pipeline.schemas import ASSETS, REJECT
from pipeline.stage import rejects

STAGE = "discover"
# What a source may know of a medium before a byte of it is read; `sidecars` are URIs of the files beside it.
KNOWN = ("source_caption", "given_label", "licence", "author", "origin", "source_language")
DISCOVERED = pa.schema(
    [
        pa.field("uri", pa.string()),
        *(ASSETS.field(name) for name in KNOWN),
        pa.field("sidecars", pa.list_(pa.string())),
        pa.field("reject", REJECT),
    ]
)


@dataclass(frozen=True)
class Found:
    """One medium, or what turned out to be none (`verdict`: reason and detail)."""

    uri: str
    verdict: tuple[str, str] | None = None
    known: dict[str, str | None] = field(default_factory=dict)  # of KNOWN
    sidecars: Sequence[str] = ()
    row: str | None = None  # of a list: the row's own URI


def folder_label(name: str, settings: SourceSettings) -> dict[str, str | None]:
    """What the folder of a medium says of it, where folders are labels. name: relative to the root or the tar."""
    folder = PurePosixPath(name).parent.name
    return {"given_label": folder} if settings.folder_labels and folder else {}


class Source(Protocol):
    """A stream of media. Two passes give the same rows in the same order while nothing changes."""

    @property
    def media_root(self) -> str:
        """The folder or URL that URIs are relative to."""
        ...

    def holds(self, path: Path) -> bool:
        """Whether what is written to `path` would be found the next time."""
        ...

    def found(self) -> Iterator[Found]:
        """Everything there is. Raises UsageError when there is nothing at all."""
        ...

    def identities(self) -> Iterator[Any]:
        """JSON-able values that change when the media may have: names, sizes, times."""
        ...


def tables(found: Iterable[Found], rows: int) -> Iterator[pa.Table]:
    """`found` as tables of DISCOVERED, `rows` at a time, at least one."""
    stream = iter(found)
    yield _table(list(islice(stream, rows)))
    while batch := list(islice(stream, rows)):
        yield _table(batch)


def _table(batch: list[Found]) -> pa.Table:
    columns: dict[str, Any] = {name: [f.known.get(name) for f in batch] for name in KNOWN}
    columns |= {"uri": [f.uri for f in batch], "sidecars": [list(f.sidecars) for f in batch]}
    columns["reject"] = rejects(STAGE, [f.verdict for f in batch])
    return pa.table([pa.array(columns[f.name], f.type) for f in DISCOVERED], schema=DISCOVERED)
