"""A plain loop over the stages: for debugging and tests. Same rows, same order as Ray."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import pyarrow as pa

from pipeline.config import RunnerSettings
from pipeline.models.load import load
from pipeline.runners.apply import apply_step, count_rejected, through_nothing, with_reject
from pipeline.stage import Progress, Step, check_columns

P = TypeVar("P")
R = TypeVar("R")


class LocalRunner:
    """Runs everything in this process, a batch at a time."""

    def __init__(self, settings: RunnerSettings) -> None:
        self.settings = settings

    def map(self, stages: Sequence[Step], table: pa.Table, progress: Progress) -> Iterator[pa.Table]:
        check_columns(stages, table.column_names)
        progress.begin([s.name for s in stages], len(table))
        if len(table) == 0:
            yield through_nothing(stages, table)
        rows = min((s.resources.batch_rows for s in stages), default=1)
        try:
            for start in range(0, len(table), rows):
                yield _through(stages, table.slice(start, rows), progress)
        finally:
            progress.end()

    def map_parts(self, fn: Callable[[P], R], parts: Iterable[P]) -> Iterator[R]:
        return map(fn, parts)


def _through(stages: Sequence[Step], batch: pa.Table, progress: Progress) -> pa.Table:
    for stage in stages:
        batch = _step(stage, batch, progress)
    return batch


def _step(stage: Step, batch: pa.Table, progress: Progress) -> pa.Table:
    began = time.perf_counter()
    batch = with_reject(batch)
    dead_before = count_rejected(batch)
    result = apply_step(stage, batch, None if stage.model is None else load(stage.model))
    dead = count_rejected(result) - dead_before
    progress.advance(stage.name, len(batch) - dead_before, len(result) - dead_before, dead, time.perf_counter() - began)
    return result
