"""synth: a seed pool -> queries, corpus and relevance for each task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from pipeline.cli.cache import cache_command
from pipeline.cli.edge import in_languages, media_root_of, print_counts, reported, runner_of, settings
from pipeline.cli.options import (
    DEFAULT_OUT,
    ConfigOption,
    LanguageOption,
    MediaRootOption,
    OutOption,
    OverwriteOption,
    RunnerOption,
    SetOption,
)
from pipeline.cli.progress import progress_for_here
from pipeline.cli.spending import Line, MaxCostOption, MaxHoursOption, MaxTokensOption, meter_of, print_spending
from pipeline.config import Config
from pipeline.models.load import load
from pipeline.models.protocols import Vlm
from pipeline.prompt_page import prompt_page
from pipeline.report.page import build_report
from pipeline.stage import ModelRef
from pipeline.synth.recipe import estimates, estimates_of_verifying, sample_request, synthesise
from pipeline.synth.recipe import show as rendered
from pipeline.synth.tasks import TASKS

app = typer.Typer(help="Synthesise retrieval tasks from a seed pool.", no_args_is_help=True)
app.command("cache")(cache_command)

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
    language: LanguageOption = None,
    out: OutOption = DEFAULT_OUT,
    config: ConfigOption = None,
    assignments: SetOption = None,
    runner: RunnerOption = None,
    media_root: MediaRootOption = None,
    overwrite: OverwriteOption = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Let a VLM judge each example blind (synth.verify); settings: verifier.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask nothing: print what a VLM would cost, and one request.")
    ] = False,
    max_tokens: MaxTokensOption = None,
    max_cost: MaxCostOption = None,
    max_hours: MaxHoursOption = None,
) -> None:
    """Fill tasks with examples: queries, a corpus, what is relevant to what, and explicit negatives.

    Writes OUT/synth/TASK/. Every asset of the pool ends in a query or in a reject with a reason.

    Example: synth run --task video_qa --task image_retrieval --language zh,en
    """
    wanted = settings(
        config, [*in_languages(assignments, language), *(["synth.verify=true"] if verify else [])], runner
    )
    root = media_root_of(media_root)
    if dry_run:
        _show_costs(out, task, wanted, root)
        return
    meter = meter_of(max_tokens, max_cost, max_hours, wanted.vlm)
    made = synthesise(out, task, wanted, runner_of(wanted.runner), progress_for_here(), overwrite, root, meter)
    for result in made:
        if result.reused:
            typer.echo(f"{result.task}: nothing has changed since it was made; --overwrite makes it again")
        else:
            print_counts(result.task, result.counts)
        typer.echo(f"{result.queries} queries, {result.rejected} rejects: {result.folder}")
    asked = [Line(result.task, result.usage) for result in made if result.usage is not None]
    if asked:
        print_spending("what the VLM has used", asked, wanted.vlm)
    typer.echo(f"report: {build_report(out, wanted)}")
    typer.echo(f"next: mine --t-pos {wanted.mine.t_pos} --margin {wanted.mine.margin} --out {out}")


def _show_costs(out: Path, tasks: list[str], wanted: Config, media_root: str | None) -> None:
    """Print what a run would take, and the first request with where its frames can be looked at."""
    judged = [Line(e.task, e.usage, e.visual_tokens, e.gpu_hours) for e in estimates_of_verifying(out, tasks, wanted)]
    if judged:
        print_spending("what verifying would take at most", judged, wanted.judge)
    if wanted.vlm.adapter == "builtin":
        typer.echo("the builtin annotator asks no VLM: it costs nothing but its time on this machine")
        return
    vlm = cast("Vlm", load(ModelRef("vlm", wanted.vlm)))
    found = estimates(out, tasks, wanted, vlm.fingerprint, media_root)
    lines = [Line(e.task, e.usage, e.visual_tokens, e.gpu_hours) for e in found]
    print_spending("what a run would take; nothing was asked", lines, wanted.vlm)
    request = sample_request(out, found[0].task, wanted, media_root)
    if request is None:
        typer.echo(f"{found[0].task}: no medium of the pool that serves it can be read")
        return
    folder = out / ".work" / "dry_run"
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frame for pixels in request.pixels for frame in pixels.frames):
        (folder / f"{found[0].task}-{number:02d}.jpg").write_bytes(frame)
    typer.echo(f"\nthe first request of {found[0].task}; its frames: {folder / found[0].task}-*.jpg\n")
    typer.echo(request.prompt)


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
    language: LanguageOption = None,
    out: OutOption = DEFAULT_OUT,
    config: ConfigOption = None,
    assignments: SetOption = None,
    media_root: MediaRootOption = None,
) -> None:
    """Print the prompt that a VLM gets for an asset, in the first language."""
    wanted = settings(config, in_languages(assignments, language), None)
    typer.echo(rendered(out, task, asset, wanted, media_root_of(media_root)), nl=False)


@app.command()
@reported
def prompts(config: ConfigOption = None, assignments: SetOption = None) -> None:
    """Print the prompts of all templates for example assets, as a Markdown page: docs/prompts.md with the defaults."""
    typer.echo(prompt_page(settings(config, assignments, None)), nl=False)
