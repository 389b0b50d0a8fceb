"""Steps for the runner suite, importable by worker processes."""

import os
from pathlib import Path

import pyarrow as pa

from pipeline.stage import PARENT, Split, Stage, rejects


class Silent:
    """A Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.rows_in: dict[str, int] = {}
        self.begun = 0
        self.ended = 0

    def begin(self, stages: object, rows: int) -> None:
        self.begun += 1

    def advance(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None:
        self.rows_in[stage] = self.rows_in.get(stage, 0) + rows_in

    def end(self) -> None:
        self.ended += 1


def halve(table: pa.Table, settings: object) -> pa.Table:
    values = table.column("x").to_pylist()
    if 66 in values:
        raise ValueError("sixty-six")
    verdicts = [("odd", f"{v} is odd") if v % 2 else None for v in values]
    return pa.table({"half": pa.array([v // 2 for v in values], pa.int64()), "reject": rejects("halve", verdicts)})


def spread(table: pa.Table, settings: object) -> pa.Table:
    rows = [(i, k) for i, v in enumerate(table.column("half").to_pylist()) for k in range(1 + v % 3)]
    return pa.table(
        {PARENT: pa.array([i for i, _ in rows], pa.int32()), "k": pa.array([k for _, k in rows], pa.int64())}
    )


def die_once(table: pa.Table, marker: Path) -> pa.Table:
    if not marker.exists():
        marker.touch()
        os._exit(1)
    return pa.table({"alive": pa.array([True] * len(table))})


HALVE = Stage("halve", halve, None, reads=("x",), adds=pa.schema([pa.field("half", pa.int64())]))
SPREAD = Split("spread", spread, None, reads=("half",), adds=pa.schema([pa.field("k", pa.int64())]))
