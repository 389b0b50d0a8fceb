"""Bars on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

LINE_EVERY_S = 10.0


class Bars:
    """One bar a stage; implements `stage.Progress`."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.bars: Progress | None = None
        self.tasks: dict[str, TaskID] = {}

    def begin(self, stages: Sequence[str], rows: int) -> None:
        if self.bars is not None and list(self.tasks) == list(stages):  # the next chunk of the same map
            first = self.bars.tasks[self.tasks[stages[0]]]
            self.bars.update(first.id, total=(first.total or 0) + rows)
            return
        self.bars = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rejected]} rejected"),
            TimeElapsedColumn(),
            console=self.console,
        )
        self.tasks = {
            s: self.bars.add_task(s, total=rows or None if i == 0 else None, rejected=0) for i, s in enumerate(stages)
        }
        self.bars.start()

    def advance(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None:
        del seconds
        if self.bars is None:
            return
        task = self.bars.tasks[self.tasks[stage]]
        self.bars.update(task.id, advance=rows_in, rejected=task.fields["rejected"] + rejected)
        stages = list(self.tasks)
        following = stages[stages.index(stage) + 1 :][:1]
        for name in following:
            later = self.bars.tasks[self.tasks[name]]
            self.bars.update(later.id, total=(later.total or 0) + rows_out - rejected)

    def end(self) -> None:
        if self.bars is not None:
            self.bars.stop()
            self.bars = None


class Lines:
    """A line a stage when it ends, and one every ten seconds before that."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[int, int, int, float]] = {}
        self.printed = time.monotonic()

    def begin(self, stages: Sequence[str], rows: int) -> None:
        if list(self.rows) != list(stages):  # else: the next chunk of the same map
            self.rows = dict.fromkeys(stages, (0, 0, 0, 0.0))
        self.printed = time.monotonic()
        to_go = f": {rows} rows to go" if rows else ""
        sys.stderr.write(f"{' -> '.join(stages)}{to_go}\n")

    def advance(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None:
        before = self.rows[stage]
        self.rows[stage] = (before[0] + rows_in, before[1] + rows_out, before[2] + rejected, before[3] + seconds)
        if time.monotonic() - self.printed > LINE_EVERY_S:
            self._print()

    def end(self) -> None:
        self._print()
        self.rows = {}

    def _print(self) -> None:
        self.printed = time.monotonic()
        for stage, (rows_in, rows_out, rejected, seconds) in self.rows.items():
            sys.stderr.write(
                f"  {stage}: {rows_in} in, {rows_out - rejected} kept, {rejected} rejected, {seconds:.1f} s\n"
            )


def progress_for_here() -> Bars | Lines:
    """Bars where somebody watches, lines where a log is kept."""
    return Bars() if sys.stderr.isatty() else Lines()
