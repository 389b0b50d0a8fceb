"""synth: a seed pool -> queries, corpus and relevance for each task."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.edge import media_root_of, print_counts, reported, runner_of, settings
from pipeline.cli.options import (
    DEFAULT_OUT,
    ConfigOption,
    MediaRootOption,
    OutOption,
    OverwriteOption,
    RunnerOption,
    SetOption,
)
from pipeline.cli.progress import progress_for_here
from pipeline.report.page import build_report
from pipeline.synth.recipe import show as rendered
from pipeline.synth.recipe import synthesise
from pipeline.synth.tasks import TASKS

app = typer.Typer(help="Synthesise retrieval tasks from a seed pool.", no_args_is_help=True)

TaskOption = Annotated[
    list[str], typer.Option("--task", help="A task of `synth tasks`, or all. Repeatable.", show_default=False)
]


@app.callback()
def main() -> None:
    """Synthesise retrieval tasks from a seed pool."""


@app.command()
@reported
def run(
    task: TaskOption,
    out: OutOption = DEFAULT_OUT,
    config: ConfigOption = None,
    assignments: SetOption = None,
    runner: RunnerOption = None,
    media_root: MediaRootOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Fill tasks with examples: queries, a corpus, what is relevant to what, and explicit negatives.

    Writes OUT/synth/TASK/. Every asset of the pool ends in a query or in a reject with a reason.

    Example: synth run --task video_qa --task image_retrieval
    """
    wanted = settings(config, assignments, runner)
    root = media_root_of(media_root)
    made = synthesise(out, task, wanted, runner_of(wanted.runner), progress_for_here(), overwrite, root)
    for result in made:
        if result.reused:
            typer.echo(f"{result.task}: nothing has changed since it was made; --overwrite makes it again")
        else:
            print_counts(result.task, result.counts)
        typer.echo(f"{result.queries} queries, {result.rejected} rejects: {result.folder}")
    typer.echo(f"report: {build_report(out, wanted)}")
    typer.echo(f"next: mine --t-pos {wanted.mine.t_pos} --margin {wanted.mine.margin} --out {out}")


@app.command()
@reported
def tasks() -> None:
    """List the tasks, what is query and document in each, and its task types."""
    for spec in TASKS.values():
        query = {"medium": spec.medium, "medium_and_text": f"{spec.medium} + question", "text": "text"}[spec.query]
        document = {"text": "text", "medium": spec.medium, "moment": "segment of a video"}[spec.document]
        typer.echo(f"{spec.name}: {query} -> {document}")
        for name, kind in spec.task_types.items():
            typer.echo(f"  {name}: {kind.definition}")


@app.command()
@reported
def show(
    asset: Annotated[str, typer.Argument(help="An asset_id of OUT/seed_pool/assets.")],
    task: Annotated[str, typer.Option("--task", help="A task of `synth tasks`.", show_default=False)],
    out: OutOption = DEFAULT_OUT,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Print the prompt that a VLM gets for an asset."""
    typer.echo(rendered(out, task, asset, settings(config, assignments, None)))
