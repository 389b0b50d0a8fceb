"""Applies one step to one batch under the law of `stage.py`; both runners go through here.

The function sees only live rows and the columns it reads, its result is checked row for row,
and when a batch raises it is run again row by row, so that only the rows that fail are lost
to a reject (`stage_error`).
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.atomic import NO_ROOM
from pipeline.errors import MediaError, SeedmineError, StageError, StorageError
from pipeline.schemas import REJECT
from pipeline.stage import PARENT, Split, Step

log = logging.getLogger(__name__)
# Not a row's fault: the disk is full or forbidden, or the process may open no more files. To reject every
# row for it would look like a finished run.
_OF_THE_MACHINE = frozenset(
    {
        *NO_ROOM, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EIO,
        errno.EMFILE, errno.ENFILE, errno.ENOMEM,
    }
)  # fmt: skip


def with_reject(table: pa.Table) -> pa.Table:
    """Add an empty `reject` column where there is none."""
    if "reject" in table.column_names:
        return table
    return table.append_column(pa.field("reject", REJECT), pa.nulls(len(table), REJECT))


def count_rejected(table: pa.Table) -> int:
    """Rows of `table` that carry a reject."""
    return len(table) - int(table.column("reject").null_count)


def _checked(step: Step, live: pa.Table, result: pa.Table) -> pa.Table:
    """`adds` (null on rejected rows), `reject` and, for a Split, `parent` of a result."""
    n = len(live)
    if isinstance(step, Split):
        if PARENT not in result.column_names:
            raise StageError(f"split {step.name!r} gave no {PARENT!r} column")
        parents = result.column(PARENT).to_pylist()
        if sorted(set(parents)) != list(range(n)) or parents != sorted(parents):
            raise StageError(f"split {step.name!r} lost, invented or reordered rows: {n} in, parents {parents[:20]}")
    elif len(result) != n:
        raise StageError(f"stage {step.name!r} gave {len(result)} rows for {n}")
    missing = [c for c in step.adds.names if c not in result.column_names]
    if missing:
        raise StageError(f"stage {step.name!r} did not add {missing}")
    columns = {f.name: _as_type(step, result.column(f.name), f) for f in step.adds}
    columns["reject"] = with_reject(result).column("reject").cast(REJECT)
    if isinstance(step, Split):
        columns[PARENT] = result.column(PARENT).cast(pa.int32())
    return pa.table(columns)


def _as_type(step: Step, column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    try:
        return column.cast(field.type)
    except pa.ArrowInvalid as error:
        raise StageError(f"stage {step.name!r}: column {field.name!r} is not {field.type}: {error}") from error


def _failed(step: Step, rows: int, error: Exception) -> pa.Table:
    """Rejected rows: a medium that cannot be used has its own reason, any other error is `stage_error`."""
    if isinstance(error, MediaError):
        reason, detail = error.reason, error.detail
    else:
        reason, detail = "stage_error", f"{type(error).__name__}: {error}"
    columns: dict[str, Any] = {f.name: pa.nulls(rows, f.type) for f in step.adds}
    columns["reject"] = pa.array([{"stage": step.name, "reason": reason, "detail": detail[:500]}] * rows, REJECT)
    if isinstance(step, Split):
        columns[PARENT] = pa.array(range(rows), pa.int32())
    return pa.table(columns)


def _guarded(step: Step, live: pa.Table, call: Callable[[pa.Table], pa.Table]) -> pa.Table:
    """Run `call` on all live rows; when that raises, on each row alone."""
    # The one broad except: any failure of a stage becomes rejects of the rows that cause it.
    # A SeedmineError that is not the row's fault (a broken model, a broken law) must stop the run.
    try:
        return _checked(step, live, call(live))
    except MediaError as error:
        return _one_by_one(step, live, call, error)
    except (SeedmineError, MemoryError):
        raise
    except OSError as error:
        if error.errno in _OF_THE_MACHINE:
            fix = NO_ROOM.get(error.errno, "see to it")
            raise StorageError(f"stage {step.name!r} cannot go on: {error}; {fix} and run the command again") from error
        return _one_by_one(step, live, call, error)
    except Exception as error:  # noqa: BLE001
        return _one_by_one(step, live, call, error)


def _one_by_one(step: Step, live: pa.Table, call: Callable[[pa.Table], pa.Table], error: Exception) -> pa.Table:
    if len(live) <= 1:
        if not isinstance(error, MediaError):
            log.warning("stage %s failed on a row: %s", step.name, error)
        return _failed(step, len(live), error)
    results = []
    for i in range(len(live)):
        one = _guarded(step, live.slice(i, 1), call)
        if isinstance(step, Split):
            parent = pa.array([i] * len(one), pa.int32())
            one = one.set_column(one.column_names.index(PARENT), PARENT, parent)
        results.append(one)
    return pa.concat_tables(results)


def apply_step(step: Step, table: pa.Table, model: object | None = None) -> pa.Table:
    """Return the batch after `step`: live rows with `adds`, rejected rows carried past.

    table: any columns, `reject` optional. Order is kept; a Split's children stand where their
    parent stood. Wide columns of rows that were rejected become null.
    Raises StageError when the step breaks the law, ModelError when its model does.
    """
    table = with_reject(table)
    alive = pc.is_null(table.column("reject")).combine_chunks()
    live = table.filter(alive)
    positions = np.flatnonzero(alive.to_numpy(zero_copy_only=False))
    if len(live) == 0:
        return _carried_past(step, table)
    read = live.select(list(step.reads))
    added = _guarded(step, read, lambda t: step.fn(t, step.settings, *(() if step.model is None else (model,))))
    if isinstance(step, Split):
        parents = added.column(PARENT).combine_chunks()
        live = live.take(parents)
        positions = positions[parents.to_numpy()]
        added = added.drop_columns([PARENT])
    base = live.drop_columns([c for c in added.column_names if c in live.column_names])
    for name in added.column_names:
        base = base.append_column(added.schema.field(name), added.column(name))
    dead = table.filter(pc.invert(alive))
    dead_positions = np.flatnonzero(~alive.to_numpy(zero_copy_only=False))
    both = pa.concat_tables([base, dead], promote_options="permissive")
    # numpy's stable sort keeps the children of one parent in the order the Split gave them.
    both = both.take(pa.array(np.argsort(np.concatenate([positions, dead_positions]), kind="stable")))
    return _without_wide_columns_of_rejects(both)


def _carried_past(step: Step, table: pa.Table) -> pa.Table:
    """A batch without live rows, as it looks behind `step`: its columns in the same order and types."""
    added = [field.name for field in step.adds]
    result = table.drop_columns([n for n in (*added, "reject") if n in table.column_names])
    for field in step.adds:
        known = table.column(field.name).cast(field.type) if field.name in table.column_names else None
        result = result.append_column(field, pa.nulls(len(table), field.type) if known is None else known)
    return _without_wide_columns_of_rejects(result.append_column("reject", table.column("reject")))


def _without_wide_columns_of_rejects(table: pa.Table) -> pa.Table:
    """Null the list and binary columns of rejected rows: what is dropped must not be carried."""
    alive = pc.is_null(table.column("reject"))
    for i, field in enumerate(table.schema):
        if pa.types.is_list(field.type) or pa.types.is_large_binary(field.type) or pa.types.is_binary(field.type):
            table = table.set_column(i, field, pc.if_else(alive, table.column(i), pa.scalar(None, field.type)))
    return table


def through_nothing(steps: Sequence[Step], table: pa.Table) -> pa.Table:
    """An empty table after `steps`: no rows, all columns. Loads no model."""
    for step in steps:
        table = apply_step(step, table)
    return table
