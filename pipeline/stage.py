"""The law of a step: what a stage may do, and what every runner guarantees.

A `Stage` gives the same rows back with new columns. A `Split` gives each row one or more
children. Either may set `reject` on a row; a rejected row is carried past all later stages.
By id nothing vanishes: each input row ends in kept rows or in exactly one reject.
`runners/apply.py` enforces this in production.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import StageError
from pipeline.schemas import REJECT

PARENT = "parent"  # in a Split's result: int32 index of the row of the batch a child comes from
ROW = "row"  # int64 position of the input row in the data set: gives results their order
FUNCTION = Callable[..., pa.Table]


@dataclass(frozen=True)
class ModelRef:
    """Names a model that a worker loads once (`models.load.load`); never the loaded object."""

    kind: str  # classifier | embedder | text_reader | vlm | reranker | scorers
    settings: Any  # the frozen settings of `config.py` that say which adapter and weights; of scorers a tuple

    @property
    def calls(self) -> int:
        """Batches that a worker hands it at once, from threads of its own; most models work on one."""
        return getattr(self.settings, "concurrent_batches", 1)

    @property
    def gpus(self) -> int:
        """GPUs that a loaded copy takes for itself."""
        return getattr(self.settings, "gpus", 0)

    @property
    def copies(self) -> int | None:
        """Copies over all nodes; None means one a worker."""
        return getattr(self.settings, "copies", None)


@dataclass(frozen=True)
class Resources:
    """What one worker of a stage takes: CPU cores, rows a call. GPUs are its model's."""

    cpus: float = 1.0
    batch_rows: int = 32


@dataclass(frozen=True)
class Stage:
    """A row-wise step: `fn(table, settings[, model]) -> table`, same rows in the same order.

    The runner hands `fn` only the columns `reads` of live rows, and takes from its result
    only the columns of `adds` and, where present, `reject` (null for a row that goes on).
    """

    name: str
    fn: FUNCTION
    settings: Any
    reads: tuple[str, ...]
    adds: pa.Schema
    model: ModelRef | None = None
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True)
class Split(Stage):
    """One row to n: the result also has `parent`; every row of the batch has at least one child.

    A child starts as a copy of its parent and takes the values of `adds` over it.
    """


Step = Stage | Split


@dataclass(frozen=True)
class Counts:
    """What a step did: `rows_in == rows_kept + rows_rejected` for a Stage; for a Split
    `rows_in` counts parents, `rows_out` children. One type feeds bar, table, summary and report."""

    stage: str
    rows_in: int
    rows_out: int
    rejected: dict[str, int]
    seconds: float

    @property
    def rows_kept(self) -> int:
        return self.rows_out - sum(self.rejected.values())


class Progress(Protocol):
    """Receives what happens while a runner works; called from the driver only.

    `begin` with the stages of a map that has not ended says that more rows have come; no rows: their number is
    not known.
    """

    def begin(self, stages: Sequence[str], rows: int) -> None: ...
    def advance(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None: ...
    def end(self) -> None: ...


class Stopwatch:
    """A Progress that hands everything on and sums the seconds workers spent in each stage."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.seconds: dict[str, float] = {}

    def begin(self, stages: Sequence[str], rows: int) -> None:
        self.progress.begin(stages, rows)

    def advance(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        self.progress.advance(stage, rows_in, rows_out, rejected, seconds)

    def end(self) -> None:
        self.progress.end()


P = TypeVar("P")
R = TypeVar("R")


class Runner(Protocol):
    """Two verbs. Results come in input order, whatever the parallelism."""

    def map(self, stages: Sequence[Step], table: pa.Table, progress: Progress) -> Iterator[pa.Table]:
        """Run `stages` over the rows of `table` (which has `row`); yields tables in row order,
        each with `row`, all columns and `reject`. Raises StageError before any work when a
        stage reads a column that nobody adds."""
        ...

    def map_parts(self, fn: Callable[[P], R], parts: Iterable[P]) -> Iterator[R]:
        """Apply a picklable function to each part; yields results in the order of the parts."""
        ...


def check_columns(stages: Sequence[Step], columns: Iterable[str]) -> None:
    """Fail before the first file is opened when a stage reads what nobody adds."""
    known = set(columns)
    for stage in stages:
        missing = [c for c in stage.reads if c not in known]
        if missing:
            raise StageError(
                f"stage {stage.name!r} reads {missing}, which no earlier stage adds; known columns: {sorted(known)}"
            )
        known |= set(stage.adds.names)


def numbered(table: pa.Table, first: int = 0) -> pa.Table:
    """`table` with the column ROW, counted from `first`: what a runner is given."""
    return table.append_column(ROW, pa.array(range(first, first + len(table)), pa.int64()))


def rejects(stage: str, verdicts: Sequence[tuple[str, str] | None]) -> pa.Array:
    """Build the `reject` column: (reason, detail) for a rejected row, None for one that goes on."""
    return pa.array(
        [None if v is None else {"stage": stage, "reason": v[0], "detail": v[1]} for v in verdicts],
        REJECT,
    )


def shared_rejects(stage: str, verdicts: Sequence[tuple[str, str]], which: NDArray[np.int64]) -> pa.Array:
    """The `reject` column of a large pool: `which` [N] indexes `verdicts`, -1 for a row that goes on."""
    return rejects(stage, verdicts).take(pa.array(which, mask=which < 0))


def live(table: pa.Table) -> pa.Table:
    """The rows without a reject."""
    return table.filter(pc.is_null(table.column("reject")))


def dead(table: pa.Table) -> pa.Table:
    """The rows with a reject, its fields as columns `stage`, `reason` and `detail`."""
    rows = table.filter(pc.is_valid(table.column("reject")))
    for name in ("stage", "reason", "detail"):
        rows = rows.append_column(name, pc.struct_field(rows.column("reject"), name))
    return rows


def counts(stages: Sequence[Step], rows: pa.Table, seconds: dict[str, float]) -> list[Counts]:
    """Count what each of `stages` did from the rows that came out at the end.

    rows: the result of `Runner.map`, with `row` and `reject`. seconds: a Stopwatch's. Before a Split a row of the
    input counts once, however many children it has.
    """
    result = []
    splits = [i for i, s in enumerate(stages) if isinstance(s, Split)]
    remaining = rows
    for i, stage in enumerate(stages):
        mine = pc.fill_null(pc.equal(pc.struct_field(remaining.column("reject"), "stage"), stage.name), False)
        reasons = pc.value_counts(pc.struct_field(remaining.filter(mine).column("reject"), "reason")).to_pylist()
        parents = pc.count_distinct(remaining.column(ROW)).as_py()
        before_split = any(i < s for s in splits)
        whole = parents if before_split or isinstance(stage, Split) else len(remaining)
        out = parents if before_split else len(remaining)
        by_reason = {r["values"]: r["counts"] for r in sorted(reasons, key=lambda r: r["values"])}
        result.append(Counts(stage.name, whole, out, by_reason, round(seconds.get(stage.name, 0.0), 3)))
        remaining = remaining.filter(pc.invert(mine))
    return result
