"""What is to be taken out of a run's files, and how files are written again without it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.store.shards import read_manifest, shard_paths, write_dataset

STAGE, REMOVED, POSITIVE_REMOVED = "remove", "removed", "positive_removed"
SCRUBBED = "the detail named something that was taken out"


@dataclass(frozen=True)
class Removal:
    """Items of a seed pool that are to go. A file counts by its bytes: its copies go with it."""

    assets: frozenset[str] = frozenset()  # ids, of kept and of rejected assets
    uris: frozenset[str] = frozenset()  # files that go whole
    files: frozenset[str] = frozenset()  # their SHA-256
    parts: frozenset[tuple[str, str, float, float]] = frozenset()  # (URI, SHA-256, start_s, end_s) of single segments

    @property
    def named(self) -> frozenset[str]:
        """The URIs that keep a reject."""
        return self.uris | {uri for uri, *_ in self.parts}

    @cached_property
    def mentions(self) -> re.Pattern[str]:
        """Finds the ids, hashes and URIs that may stand nowhere."""
        return mentioning([*self.assets, *self.uris, *self.files])


@dataclass(frozen=True)
class Gone:
    """What a task loses with a Removal."""

    queries: frozenset[str] = frozenset()
    orphans: frozenset[str] = frozenset()  # of `queries` those of other assets, which lose their only positive
    documents: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Loss:
    """What a data set loses: rows that go, and rows that stay without a part of them."""

    where: str
    gone: int
    changed: int = 0


def mentioning(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of `words`; with none, nothing."""
    longest_first = sorted({w for w in words if w}, key=lambda w: (-len(w), w))
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def is_one_of(column: pa.ChunkedArray, values: Iterable[str]) -> pa.ChunkedArray:
    """Whether each string is one of `values`; false for null."""
    return pc.is_in(column, value_set=pa.array(sorted(values), pa.string()))


def scrubbed(table: pa.Table, words: re.Pattern[str]) -> pa.Table:
    """Rejects whose `detail` names nothing that `words` finds: such a detail is replaced as a whole."""
    details = [d if d is None or not words.search(d) else SCRUBBED for d in table.column("detail").to_pylist()]
    return table.set_column(table.column_names.index("detail"), "detail", pa.array(details, pa.string()))


@dataclass
class Rewriter:
    """Writes data sets of `<out>` again, by way of `<out>/.work`; `dry` only counts."""

    work: Path
    dry: bool = False
    losses: list[Loss] = field(default_factory=list)

    def rewrite(
        self,
        folder: Path,
        schema: pa.Schema,
        change: Callable[[pa.Table], pa.Table],
        more: pa.Table | None = None,
        target: Path | None = None,
    ) -> Loss:
        """Put `change` of each shard, then the rows of `more`, in the place of a data set; `more` does not count.

        target: where it is written, if not over itself. What the manifest says of its making stays.
        """
        gone = 0

        def changed() -> Iterator[pa.Table]:
            nonlocal gone
            for part in shard_paths(folder):
                table = pq.read_table(part)
                result = change(table)
                gone += len(table) - len(result)
                yield result
            if more is not None:
                yield more

        manifest = read_manifest(folder)
        if manifest is None:
            return Loss(str(folder), 0)
        if self.dry:
            deque(changed(), maxlen=0)
        else:
            write_dataset(target or folder, changed(), schema, manifest, self.work)
        self.losses.append(Loss(str(folder.relative_to(self.work.parent)), gone))
        return self.losses[-1]
