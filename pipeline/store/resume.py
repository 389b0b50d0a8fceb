"""A map over rows that survives being killed: finished rows are kept in working shards.

Results come in row order, so what is on disk is always a prefix of the whole. A rerun with
the same fingerprint maps only the rest and gives the same table as an undisturbed run.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.atomic import replacing
from pipeline.stage import ROW, Progress, Runner, Step

FLUSH_ROWS = 2_000
FLUSH_S = 10.0


def resumable_map(run: Runner, stages: Sequence[Step], table: pa.Table, folder: Path, progress: Progress) -> pa.Table:
    """Map `stages` over `table` and return all rows in order, with `row` and `reject`.

    folder: where finished rows are kept; its name must change with input and settings. The
    caller deletes it once the result stands elsewhere.
    """
    numbered = table.drop_columns([ROW]) if ROW in table.column_names else table
    numbered = numbered.append_column(ROW, pa.array(range(len(table)), pa.int64()))
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".*"):
        leftover.unlink()
    parts = sorted(folder.glob("part-*.parquet"))
    done = [pq.read_table(p) for p in parts]
    after = max((int(pc.max(d.column(ROW)).as_py()) for d in done if len(d)), default=-1)
    rest = numbered.slice(after + 1)
    if len(rest) == 0 and done:
        return pa.concat_tables(done)
    writer = _Writer(folder, len(parts))
    for batch in run.map(stages, rest, progress):
        writer.add(batch)
    writer.close()
    return pa.concat_tables([*done, *writer.written])


class _Writer:
    """Collects batches and writes only rows whose siblings of a Split have all arrived."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.number = folder, number
        self.waiting: list[pa.Table] = []
        self.written: list[pa.Table] = []
        self.flushed = time.monotonic()

    def add(self, batch: pa.Table) -> None:
        self.waiting.append(batch)
        if sum(map(len, self.waiting)) >= FLUSH_ROWS or time.monotonic() - self.flushed > FLUSH_S:
            rows = pa.concat_tables(self.waiting)
            if len(rows) == 0:
                return
            last = rows.column(ROW)[-1]
            complete = pc.less(rows.column(ROW), last)
            self._write(rows.filter(complete))
            self.waiting = [rows.filter(pc.invert(complete))]

    def close(self) -> None:
        self._write(pa.concat_tables(self.waiting))

    def _write(self, rows: pa.Table) -> None:
        with replacing(self.folder / f"part-{self.number:06d}.parquet") as temporary:
            pq.write_table(rows, temporary)
        self.number += 1
        self.written.append(rows)
        self.flushed = time.monotonic()


def forget(folder: Path) -> None:
    """Delete working shards, and those of older inputs or settings beside them."""
    prefix = folder.name.split("-")[0]
    for old in folder.parent.glob(f"{prefix}-*"):
        shutil.rmtree(old, ignore_errors=True)
