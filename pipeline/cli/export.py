"""mine export: mined tasks in a trainer's format."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli.edge import media_root_of, reported, runner_of, settings
from pipeline.cli.options import DEFAULT_OUT, ConfigOption, MediaRootOption, OutOption, RunnerOption, SetOption
from pipeline.cli.progress import progress_for_here
from pipeline.errors import UsageError
from pipeline.mine.export import FORMATS
from pipeline.mine.export.recipe import Exported, ExportOptions, export

_ABOUT = "; ".join(f"{f.name}: {f.about}" for f in FORMATS.values())


@reported
def export_command(
    form: Annotated[str, typer.Option("--format", help=f"The trainer's format. {_ABOUT}.")],
    task: Annotated[
        list[str] | None, typer.Option("--task", help="A mined task; none, or all, exports every one. Repeatable.")
    ] = None,
    out: OutOption = DEFAULT_OUT,
    config: ConfigOption = None,
    assignments: SetOption = None,
    runner: RunnerOption = None,
    media_root: MediaRootOption = None,
) -> None:
    """Write mined tasks in a trainer's format to OUT/export/FORMAT/TASK (docs/exports.md).

    Spans of videos are cut into clips, key frames become images. Rows that a format cannot hold
    are skipped and counted.

    Example: mine export --format ms-swift
    """
    if form not in FORMATS:
        raise UsageError(f"unknown format {form!r}; there are {', '.join(FORMATS)}")
    wanted = settings(config, assignments, runner)
    options = ExportOptions(wanted.frames, media_root_of(media_root))
    exported = export(out, task or [], FORMATS[form], runner_of(wanted.runner), progress_for_here(), options)
    _print(exported)
    typer.echo(f"files: {out / 'export' / form}")


def _print(exported: list[Exported]) -> None:
    table = Table(title="Exported", title_justify="left", show_edge=False, pad_edge=False)
    for heading in ("task", "rows", "lines", "files"):
        table.add_column(heading, justify="left" if heading == "task" else "right", no_wrap=heading == "task")
    for heading in ("rows skipped", "negatives left out", "in-batch negatives"):
        table.add_column(heading, overflow="fold")
    for e in exported:
        skipped, dropped = (", ".join(f"{k} {n}" for k, n in c.items()) for c in (e.skipped, e.dropped_negatives))
        lines = (str(e.rows), str(sum(e.lines.values())), str(len(e.lines)))
        table.add_row(e.task, *lines, skipped, dropped, "allowed" if e.in_batch_negatives else "switch off")
    Console().print(table)
