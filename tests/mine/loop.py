"""A runner for tests: the real law of `runners/apply.py`, a given model, this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import pyarrow as pa

from pipeline.runners.apply import apply_step
from pipeline.stage import Progress, Step, check_columns

P = TypeVar("P")
R = TypeVar("R")


class Loop:
    """Implements `stage.Runner`; workers "load" the model they are given here."""

    def __init__(self, model: object, batch_rows: int = 4) -> None:
        self.model, self.batch_rows, self.parts = model, batch_rows, 0

    def map(self, stages: Sequence[Step], table: pa.Table, progress: Progress) -> Iterator[pa.Table]:
        check_columns(stages, table.column_names)
        for start in range(0, len(table), self.batch_rows):
            batch = table.slice(start, self.batch_rows)
            for stage in stages:
                batch = apply_step(stage, batch, self.model)
            yield batch

    def map_parts(self, fn: Callable[[P], R], parts: Iterable[P]) -> Iterator[R]:
        for part in parts:
            self.parts += 1
            yield fn(part)


class Silent:
    """A Progress that nobody watches."""

    def begin(self, stages: Sequence[str], rows: int) -> None: ...
    def advance(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None: ...
    def end(self) -> None: ...
