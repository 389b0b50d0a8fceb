"""mine: synthesised tasks -> refined positives and hard negatives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import pyarrow as pa
import typer

from pipeline.cli.edge import media_root_of, print_counts, reported, runner_of, settings
from pipeline.cli.export import export_command
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
from pipeline.config import Fill, ModelSettings, RuleName, Strategy
from pipeline.mine.export import FORMATS
from pipeline.mine.labels import ASSET_COLUMNS
from pipeline.mine.recipe import MinedTask, MineOptions, mine_negatives
from pipeline.models.load import load
from pipeline.models.protocols import Embedder, Reranker
from pipeline.report.page import build_report
from pipeline.stage import ModelRef
from pipeline.store.shards import read_dataset, read_manifest

RULES = "Which documents become negatives (docs/mining.md)"

app = typer.Typer()
app.command("export", no_args_is_help=True)(export_command)


@app.callback(invoke_without_command=True)
@reported
def main(
    context: typer.Context,
    t_pos: Annotated[float | None, typer.Option("--t-pos", help="t+: a positive must score above this, -1..1.")] = None,
    margin: Annotated[
        float | None,
        typer.Option("--margin", help="Signed: a negative must score below the mean positive + margin, -1..1."),
    ] = None,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Documents recalled a query.")] = None,
    negatives: Annotated[int | None, typer.Option("--negatives", help="Hard negatives kept a query, at most.")] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="|".join(get_args(RuleName)),
            help="What stands between a negative and the positives: paper reads --margin, the others their own number. "
            "Repeatable: every one must admit it. [default: paper]",
            rich_help_panel=RULES,
        ),
    ] = None,
    absolute_margin: Annotated[
        float | None,
        typer.Option("--absolute-margin", help="A negative scores this much less, 0..2.", rich_help_panel=RULES),
    ] = None,
    relative_margin: Annotated[
        float | None,
        typer.Option("--relative-margin", help="A negative scores this share less, 0..1.", rich_help_panel=RULES),
    ] = None,
    percent: Annotated[
        float | None,
        typer.Option("--percent", help="A negative scores at most this share of it, 0..1.", rich_help_panel=RULES),
    ] = None,
    skip_ranks: Annotated[
        int | None,
        typer.Option("--skip-ranks", help="The first so many recalled are no negatives.", rich_help_panel=RULES),
    ] = None,
    max_score: Annotated[
        float | None, typer.Option("--max-score", help="No negative scores more, -1..1.", rich_help_panel=RULES)
    ] = None,
    min_score: Annotated[
        float | None, typer.Option("--min-score", help="No negative scores less, -1..1.", rich_help_panel=RULES)
    ] = None,
    strategy: Annotated[
        Strategy | None,
        typer.Option(
            "--strategy",
            help="Which of those admitted are kept: the hardest, a random sample, or one of each band of scores in "
            "turn. [default: top]",
            rich_help_panel=RULES,
        ),
    ] = None,
    max_uses: Annotated[
        int | None,
        typer.Option("--max-uses", help="A document is a negative at most so often in a task.", rich_help_panel=RULES),
    ] = None,
    fill: Annotated[
        Fill | None,
        typer.Option(
            "--fill",
            help="Whether a query with too few negatives gets random ones, named so. [default: none]",
            rich_help_panel=RULES,
        ),
    ] = None,
    judge: Annotated[
        bool | None,
        typer.Option(
            "--judge/--no-judge",
            help="Ask the reranker about negatives that score near the positives, and drop what it finds relevant.",
            rich_help_panel=RULES,
        ),
    ] = None,
    promote: Annotated[
        bool | None,
        typer.Option(
            "--promote/--no-promote", help="What the judge finds relevant becomes a positive.", rich_help_panel=RULES
        ),
    ] = None,
    dim: Annotated[
        int | None, typer.Option("--dim", help="Keep the first values of each vector (models trained with MRL).")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option("--task", help="A synthesised task; none, or all, mines every one. Repeatable.")
    ] = None,
    out: OutOption = DEFAULT_OUT,
    config: ConfigOption = None,
    assignments: SetOption = None,
    runner: RunnerOption = None,
    media_root: MediaRootOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Recall the top-K of every query, keep positives above t+, pick hard negatives below the margin.

    Writes OUT/mined/TASK/train and OUT/mined/TASK/rejected: together they hold every query.
    Guards keep false negatives out and count what they held back (docs/mining.md).

    Example: mine --t-pos 0.6 --margin 0.1
    """
    if context.invoked_subcommand is not None:
        return
    given = {
        "t_pos": t_pos,
        "margin": margin,
        "top_k": top_k,
        "negatives": negatives,
        "rule": None if rule is None else f"[{', '.join(rule)}]",
        "absolute_margin": absolute_margin,
        "relative_margin": relative_margin,
        "percent_of_positive": percent,
        "skip_ranks": skip_ranks,
        "max_score": max_score,
        "min_score": min_score,
        "strategy": strategy,
        "max_uses": max_uses,
        "fill": fill,
        "judge.on": judge,
        "judge.promote": promote,
    }
    extra = [f"mine.{key}={value}" for key, value in given.items() if value is not None]
    extra += [] if dim is None else [f"embedder.dim={dim}"]
    wanted = settings(config, [*(assignments or []), *extra], runner)
    options = MineOptions(
        model_fingerprint=_fingerprint("embedder", wanted.embedder),
        reranker_fingerprint=None if wanted.reranker is None else _fingerprint("reranker", wanted.reranker),
        assets=_pool(out),
        media_root=media_root_of(media_root),
        overwrite=overwrite,
    )
    mined = mine_negatives(out, task or [], wanted, runner_of(wanted.runner), progress_for_here(), options)
    print_counts("Mined", [result.counts for result in mined])
    for result in mined:
        typer.echo(_closing_line(result))
    typer.echo(f"report: {build_report(out, wanted)}")
    typer.echo(f"next: mine export --format {next(iter(FORMATS))} --out {out}")


def _fingerprint(kind: str, model: ModelSettings) -> str:
    return cast("Embedder | Reranker", load(ModelRef(kind, model))).fingerprint


def _pool(out: Path) -> pa.Table | None:
    """What the guards know of the media; a data set from elsewhere has no seed pool."""
    folder = out / "seed_pool" / "assets"
    return read_dataset(folder, list(ASSET_COLUMNS)) if read_manifest(folder) else None


def _closing_line(result: MinedTask) -> str:
    said = result.summary
    hits = ", ".join(f"{guard} {n}" for guard, n in said["guard_hits"].items() if n) or "none"
    again = " (nothing has changed since it was mined; --overwrite mines it again)" if result.reused else ""
    return (
        f"{result.task}: {said['kept']} of {said['queries']} queries kept, {said['negatives']} negatives, "
        f"{said['negatives_above_positive_mean']:.1%} of them above the mean positive, "
        f"{said['without_negatives']} queries without one; held back by guards: {hits}{again}"
    )
