"""A map over rows that survives being killed and holds no more than a chunk in memory.

Results come in row order and go to working shards, so what is on disk is always a prefix of the
whole. A rerun with the same fingerprint maps only the rest and gives the same rows as an
undisturbed run.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.atomic import replacing
from pipeline.errors import SeedmineError
from pipeline.stage import ROW, Progress, Runner, Step, numbered
from pipeline.store.shards import shard_paths

FLUSH_ROWS = 2_000
FLUSH_S = 10.0
CHUNK_ROWS = 50_000  # rows a runner is given at once


@dataclass(frozen=True)
class Shards:
    """Rows on disk, in order: what a `resumable_map` left."""

    folder: Path

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """One table a shard, at least one; columns: those asked for, None all."""
        for path in shard_paths(self.folder):
            yield pq.read_table(path, columns=None if columns is None else list(columns))

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows at once: of a large data set only narrow columns fit."""
        return pa.concat_tables(self.tables(columns))


def chunked(table: pa.Table) -> Iterator[pa.Table]:
    """A table in pieces for `resumable_map`, at least one."""
    yield table.slice(0, CHUNK_ROWS)
    for start in range(CHUNK_ROWS, len(table), CHUNK_ROWS):
        yield table.slice(start, CHUNK_ROWS)


def resumable_map(
    run: Runner,
    stages: Sequence[Step],
    chunks: Iterable[pa.Table],
    folder: Path,
    progress: Progress,
    meter: Callable[[pa.Table], None] | None = None,
) -> Shards:
    """Map `stages` over all rows of `chunks`; the rows stand in the result in order, with `row` and `reject`.

    chunks: at least one table, all of one schema; a rerun must give the same rows. folder: where
    finished rows are kept; its name must change with input and settings. The caller deletes it
    once the result stands elsewhere. meter: is shown each batch of new rows and may stop the map by
    raising; what was finished is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".*"):
        leftover.unlink()
    parts, after = _finished(folder)
    writer = _Writer(folder, len(parts))
    still_open = _StillOpen(progress)
    first = 0
    try:
        for chunk in chunks:
            rest = _renumbered(chunk, first).slice(max(0, after + 1 - first))
            first += len(chunk)
            if len(rest) or (len(chunk) == 0 and not parts):
                for batch in run.map(stages, rest, still_open):
                    writer.add(batch)
                    if meter is not None:
                        meter(batch)
        writer.close()
    except (SeedmineError, KeyboardInterrupt):
        writer.flush()
        raise
    finally:
        progress.end()
    return Shards(folder)


def _finished(folder: Path) -> tuple[list[Path], int]:
    """The shards that can be read, up to the first that cannot, and the last row in them; others are deleted.

    A shard appears whole, but a machine that lost power may have lost what was in it.
    """
    good, after = [], -1
    for path in shard_paths(folder):
        try:
            last = pc.max(pq.read_table(path).column(ROW)).as_py()
        except (pa.ArrowException, OSError, KeyError):
            break
        good.append(path)
        after = after if last is None else int(last)
    for path in shard_paths(folder)[len(good) :]:
        path.unlink()
    return good, after


def _renumbered(chunk: pa.Table, first: int) -> pa.Table:
    plain = chunk.drop_columns([ROW]) if ROW in chunk.column_names else chunk
    return numbered(plain, first)


class _StillOpen:
    """A Progress that does not end with the first of several chunks."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def begin(self, stages: Sequence[str], rows: int) -> None:
        self.progress.begin(stages, rows)

    def advance(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None:
        self.progress.advance(stage, rows_in, rows_out, rejected, seconds)

    def end(self) -> None:
        """The map over all chunks ends it."""


class _Writer:
    """Collects batches and writes only rows whose siblings of a Split have all arrived."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.number = folder, number
        self.waiting: list[pa.Table] = []
        self.flushed = time.monotonic()

    def add(self, batch: pa.Table) -> None:
        self.waiting.append(batch)
        if sum(map(len, self.waiting)) >= FLUSH_ROWS or time.monotonic() - self.flushed > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are complete: all but the last, whose siblings may be on their way."""
        rows = pa.concat_tables(self.waiting) if self.waiting else None
        if rows is None or len(rows) == 0:
            return
        complete = pc.less(rows.column(ROW), rows.column(ROW)[-1])
        self._write(rows.filter(complete))
        self.waiting = [rows.filter(pc.invert(complete))]

    def close(self) -> None:
        if self.waiting:
            self._write(pa.concat_tables(self.waiting))

    def _write(self, rows: pa.Table) -> None:
        if len(rows) == 0 and self.number > 0:
            return
        with replacing(self.folder / f"part-{self.number:06d}.parquet") as temporary:
            pq.write_table(rows, temporary)
        self.number += 1
        self.flushed = time.monotonic()


def forget(folder: Path) -> None:
    """Delete working shards, and those of older inputs or settings beside them."""
    prefix = folder.name.split("-")[0]
    for old in folder.parent.glob(f"{prefix}-*"):
        shutil.rmtree(old, ignore_errors=True)
