"""The rows of a pass over the pool, on disk, with what pool steps decided about them; and the counts of it all."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.seed_pool.sources.rows import STAGE as DISCOVER
from pipeline.stage import ROW, Counts, Progress, Step, Stopwatch, counts, dead, live
from pipeline.store.resume import CHUNK_ROWS, Shards
from pipeline.store.shards import regrouped


class Tally:
    """Collects the counts of all steps in their order."""

    def __init__(self, progress: Progress) -> None:
        self.watch = Stopwatch(progress)
        self.counts: list[Counts] = []

    def mapped(self, stages: Sequence[Step], rows: Rows) -> None:
        """Count what `stages` did to `rows`, and, where they came from a source, what the source rejected."""
        table = rows.read([ROW, "reject"])
        by_source = pc.fill_null(pc.equal(pc.struct_field(table.column("reject"), "stage"), DISCOVER), False)
        if not self.counts:
            found = pc.count_distinct(table.column(ROW)).as_py()
            self.counts.append(Counts(DISCOVER, found, found, _reasons(table.filter(by_source).column("reject")), 0.0))
        self.counts += counts(stages, table.filter(pc.invert(by_source)), self.watch.seconds)


class Rows:
    """What a `resumable_map` left, and the verdicts of pool steps: a reject for some rows."""

    def __init__(self, shards: Shards) -> None:
        self.shards = shards
        self.verdicts: pa.Array | None = None  # of REJECT, a row each, null for one that goes on

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Narrow columns of all rows."""
        return self.shards.read(columns)

    def step(self, name: str, tally: Tally, reads: Sequence[str], decide: Callable[[pa.Table], pa.Array]) -> None:
        """Let a pool step see `reads` of the live rows and give each a reject or null."""
        began = time.perf_counter()
        rejected = self._rejected()
        going_on = np.flatnonzero(~rejected)
        decided = decide(self.read(reads).take(pa.array(going_on)))
        place = np.full(len(rejected), -1, np.int64)
        place[going_on] = np.arange(len(going_on))
        verdicts = decided.take(pa.array(place, mask=place < 0))
        self.verdicts = verdicts if self.verdicts is None else pc.coalesce(self.verdicts, verdicts)
        seconds = round(time.perf_counter() - began, 3)
        tally.counts.append(Counts(name, len(going_on), len(going_on), _reasons(decided.drop_null()), seconds))

    def live(self, columns: Sequence[str]) -> pa.Table:
        """Narrow columns of the rows without any reject."""
        return self.read(columns).take(pa.array(np.flatnonzero(~self._rejected())))

    def _rejected(self) -> NDArray[np.bool_]:
        """Whether each row has a reject."""
        rejected = pc.is_valid(self.read(["reject"]).column("reject")).combine_chunks()
        if self.verdicts is not None:
            rejected = pc.or_(rejected, pc.is_valid(self.verdicts))
        return np.asarray(rejected.to_numpy(zero_copy_only=False))

    def alive(self) -> Iterator[pa.Table]:
        """The rows without any reject, a chunk at a time, at least one table."""
        return regrouped((live(table) for table in self._tables()), CHUNK_ROWS)

    def dead(self) -> Iterator[pa.Table]:
        """The rejected rows, with `stage`, `reason` and `detail`."""
        return (dead(table) for table in self._tables())

    def categories(self) -> dict[str, int]:
        """Live rows by medium and category."""
        return by_category(live(table) for table in self._tables(["media", "category", "reject"]))

    def _tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        first = 0
        for table in self.shards.tables(columns):
            if self.verdicts is not None:
                decided = self.verdicts.slice(first, len(table))
                at = table.column_names.index("reject")
                table = table.set_column(at, "reject", pc.coalesce(table.column("reject"), decided))
            first += len(table)
            yield table


def by_category(tables: Iterable[pa.Table]) -> dict[str, int]:
    """Assets by medium and category, sorted; tables: with the columns `media` and `category`."""
    found: Counter[str] = Counter()
    for table in tables:
        pairs = zip(table.column("media").to_pylist(), table.column("category").to_pylist(), strict=True)
        found.update(f"{media}: {category}" for media, category in pairs)
    return dict(sorted(found.items()))


def _reasons(rejects: pa.Array | pa.ChunkedArray) -> dict[str, int]:
    return dict(sorted(Counter(pc.struct_field(rejects, "reason").to_pylist()).items()))
