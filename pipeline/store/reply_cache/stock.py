"""What is kept of VLM replies, and how some of it is deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.atomic import replacing
from pipeline.models.protocols import Usage
from pipeline.store.reply_cache.cached_vlm import REPLIES
from pipeline.store.reply_cache.entries import Entry, from_line
from pipeline.store.reply_cache.log import segments


@dataclass(frozen=True)
class Stock:
    """Kept replies of one model, or those of them that were chosen."""

    model: str  # its fingerprint; the folder's name where no entry can say it
    entries: int = 0
    bytes: int = 0
    oldest: str = ""  # UTC, as Entry.at
    newest: str = ""
    usage: Usage = field(default_factory=Usage)  # what they cost, and would cost again
    damaged: int = 0  # lines of which nothing can be read; chosen or not

    def plus(self, entry: Entry, size: int) -> Stock:
        return Stock(
            entry.model,
            self.entries + 1,
            self.bytes + size,
            min(self.oldest or entry.at, entry.at),
            max(self.newest, entry.at),
            self.usage + entry.reply.usage,
            self.damaged,
        )

    def plus_damaged(self) -> Stock:
        return Stock(self.model, self.entries, self.bytes, self.oldest, self.newest, self.usage, self.damaged + 1)


def stock(cache_folder: Path, chosen: Callable[[Entry], bool] = lambda _: True) -> list[Stock]:
    """What is kept of each model, by name, of the entries that are `chosen`; a model without any is left out."""
    found = []
    for folder in _folders(cache_folder):
        kept = Stock(folder.name)
        for path in segments(folder):
            for line, entry in _lines(path):
                if entry is None:
                    kept = kept.plus_damaged()
                elif chosen(entry):
                    kept = kept.plus(entry, len(line))
        found.append(kept)
    return sorted((s for s in found if s.entries or s.damaged), key=lambda s: s.model)


def prune(cache_folder: Path, work: Path, goes: Callable[[Entry], bool]) -> None:
    """Delete the entries that `goes` names, and all damaged lines; whoever needs one asks again.

    work: a folder on the same file system for what is temporary. A segment is replaced by one rename, so that a run
    that is killed can be started again. What another process writes to a segment at this moment may be lost with it.
    """
    for folder in _folders(cache_folder):
        for path in segments(folder):
            _without(path, work, goes)


def of_others(asset_ids: Collection[str]) -> Callable[[Entry], bool]:
    """Whether an entry speaks of an asset that is none of `asset_ids`."""
    known = frozenset(asset_ids)
    return lambda entry: not known.issuperset(entry.asset_ids)


def _folders(cache_folder: Path) -> list[Path]:
    return sorted(path for path in (cache_folder / REPLIES).glob("*") if path.is_dir())


def _without(path: Path, work: Path, goes: Callable[[Entry], bool]) -> None:
    stays, all_of_it = 0, True
    for _, entry in _lines(path):
        if entry is None or goes(entry):
            all_of_it = False
        else:
            stays += 1
    if all_of_it and stays:
        return
    if not stays:
        path.unlink(missing_ok=True)
        return
    with replacing(path, work) as temporary, temporary.open("wb") as file:
        file.writelines(line for line, entry in _lines(path) if entry is not None and not goes(entry))


def _lines(path: Path) -> Iterator[tuple[bytes, Entry | None]]:
    """The lines of a segment, and what they say; None for one that is damaged or was cut off."""
    with path.open("rb") as file:
        for line in file:
            yield line, from_line(line) if line.endswith(b"\n") else None
