"""seed-pool: raw images and videos -> a curated pool."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.edge import foreign_models, print_counts, reported, runner_of, scorer_models, settings
from pipeline.cli.options import DEFAULT_OUT, ConfigOption, OutOption, OverwriteOption, RunnerOption, SetOption
from pipeline.cli.progress import progress_for_here
from pipeline.cli.remove import remove_command
from pipeline.cli.spending import Line, MaxCostOption, MaxHoursOption, MaxTokensOption, meter_of, print_spending
from pipeline.errors import DataError
from pipeline.report.page import build_report
from pipeline.seed_pool.benchmarks import parse_benchmark
from pipeline.seed_pool.recipe import build_seed_pool

app = typer.Typer(help="Turn a folder of images and videos into a seed pool.", no_args_is_help=True)
app.command("remove", no_args_is_help=True)(remove_command)


@app.callback()
def main() -> None:
    """Turn a folder of images and videos into a seed pool."""


@app.command()
@reported
def build(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="Folder of images and videos, searched all the way down, tars and Hugging Face data sets included; "
            "or s3://BUCKET/PREFIX, gs://BUCKET/PREFIX; or a list of paths or URLs (.parquet, .csv, .tsv, .jsonl), "
            "itself a file or a URL.",
        ),
    ],
    out: OutOption = DEFAULT_OUT,
    config: ConfigOption = None,
    assignments: SetOption = None,
    runner: RunnerOption = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="[NAME=]DIR|PARQUET",
            help="Leave out near copies of this benchmark's media. NAME is its name in mteb. Repeatable.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    max_tokens: MaxTokensOption = None,
    max_cost: MaxCostOption = None,
    max_hours: MaxHoursOption = None,
) -> None:
    """Probe, filter, split at scene cuts, drop copies, label, check alignment, rebalance.

    Writes OUT/seed_pool/assets and OUT/seed_pool/rejected: together they hold every file that
    was found, the rejected ones with a reason and the figure that missed its limit.

    Example: seed-pool build ~/Pictures --out data --set seed_pool.quality.min_width_px=512
    """
    wanted = settings(config, assignments, runner)
    models = foreign_models({"vlm": ("vlm", wanted.vlm), "aligner": ("embedder", wanted.aligner)})
    models |= foreign_models({"looker": ("embedder", wanted.looker)}) if wanted.looker else {}
    models |= scorer_models(wanted.seed_pool.scorers)
    benchmarks = [parse_benchmark(text) for text in exclude or []]
    run = runner_of(wanted.runner)
    meter = meter_of(max_tokens, max_cost, max_hours, wanted.vlm)
    pool = build_seed_pool(source, out, wanted, run, progress_for_here(), models, overwrite, benchmarks, meter)
    if pool.reused:
        typer.echo("nothing has changed since this pool was built; --overwrite builds it again")
    else:
        print_counts("Seed pool", pool.counts)
    if pool.usage is not None:
        print_spending("what the VLM has used", [Line("label", pool.usage)], wanted.vlm)
    typer.echo(f"{pool.kept} assets kept, {pool.rejected} rejected: {pool.folder}")
    if benchmarks:
        typer.echo(f"what was left out for which benchmark: {pool.folder / 'exclusions.json'}")
    typer.echo(f"report: {build_report(out, wanted)}")
    if pool.kept == 0:
        raise DataError(f"no asset of {source} was kept; the reasons are in {pool.folder / 'rejected'} and the report")
    typer.echo(f"next: synth run --task all --out {out}")
