"""mine: synthesised tasks, or anybody's data set -> refined positives and hard negatives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast, get_args

import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table

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
from pipeline.errors import UsageError
from pipeline.mine.data_set import DEFAULT_INSTRUCTION, DataSet
from pipeline.mine.datasets.fields import PAIR_NAMES
from pipeline.mine.export import FORMATS
from pipeline.mine.given_vectors import GivenVectors
from pipeline.mine.labels import ASSET_COLUMNS
from pipeline.mine.recipe import MinedTask, MineOptions, mine_data_set, mine_negatives
from pipeline.models.load import load
from pipeline.models.protocols import Embedder, Reranker
from pipeline.report.page import build_report
from pipeline.stage import ModelRef
from pipeline.store.shards import read_dataset, read_manifest

RULES = "Which documents become negatives (docs/mining.md)"
OWN = "Data and vectors of your own"
ROUNDS = "Rounds: mine, train, mine again with what was trained"


class CorpusScope(StrEnum):
    """Which documents a sub-data-set searches."""

    own = "own"
    all = "all"


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
    dataset: Annotated[
        Path | None,
        typer.Option(
            "--dataset",
            help="Mine a data set of your own instead: a BEIR or MTEB folder, a saved Hugging Face dataset, a file or "
            "folder of pairs (Parquet, JSONL, CSV, TSV), this program's own layout, or a folder of such folders.",
            rich_help_panel=OWN,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Its result is OUT/mined/NAME; none takes the path's.", rich_help_panel=OWN),
    ] = None,
    instruction: Annotated[
        str | None,
        typer.Option(
            "--instruction",
            help=f"What relevant means, for queries that bring no instruction; none says: {DEFAULT_INSTRUCTION}",
            rich_help_panel=OWN,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="Which split; none takes the only one, else train.", rich_help_panel=OWN),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="FIELD=NAME",
            help=f"A column of pairs whose name is not a usual one. Fields: {', '.join(PAIR_NAMES)}. Repeatable.",
            rich_help_panel=OWN,
        ),
    ] = None,
    corpus_scope: Annotated[
        CorpusScope | None,
        typer.Option(
            "--corpus-scope",
            help="own: a sub-data-set (task type, folder) searches its own documents, and those of none; all: every "
            "document. None means own.",
            rich_help_panel=OWN,
        ),
    ] = None,
    in_batch: Annotated[
        bool | None,
        typer.Option(
            "--in-batch-negatives/--no-in-batch-negatives",
            help="Whether a trainer may take the documents of other rows for negatives; of labels it may not. "
            "None means it may.",
            rich_help_panel=OWN,
        ),
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            "--embeddings",
            help="A folder with queries_vectors.parquet and corpus_vectors.parquet (id, vector of length 1); no model "
            "is loaded then, and scores are raw cosines.",
            rich_help_panel=OWN,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="The embedder: a folder or name, such as the checkpoint trained on the round before. It sets "
            "embedder.model, and the adapter sentence_transformers in the place of the builtin one.",
            rich_help_panel=ROUNDS,
        ),
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(
            "--previous",
            help="OUT/mined of the round before, perhaps the folder that is written now: what has changed is counted.",
            rich_help_panel=ROUNDS,
        ),
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
    Guards keep false negatives out and count what they held back (docs/mining.md). What --dataset
    takes stands in docs/datasets.md.

    Example: mine --t-pos 0.6 --margin 0.1

    Example: mine --dataset beir/nfcorpus --instruction "Find passages that answer the question."
    """
    if context.invoked_subcommand is not None:
        return
    if embeddings is not None and dim is not None:
        raise UsageError("--dim cuts vectors of a model; cut those of --embeddings yourself, and scale to length 1")
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
    extra += [] if model is None else [f"embedder.model={json.dumps(model)}"]
    wanted = settings(config, [*(assignments or []), *extra], runner)
    if model is not None and wanted.embedder.adapter == "builtin":
        extra.append("embedder.adapter=sentence_transformers")
        wanted = settings(config, [*(assignments or []), *extra], runner)
    data_set = _data_set(dataset, task, name, instruction, split, column, corpus_scope, in_batch, media_root)
    vectors = None if embeddings is None else GivenVectors(embeddings)
    options = MineOptions(
        model_fingerprint=_fingerprint("embedder", wanted.embedder) if vectors is None else vectors.fingerprint,
        vectors=vectors,
        assets=None if data_set else _pool(out),
        reranker_fingerprint=None if wanted.reranker is None else _fingerprint("reranker", wanted.reranker),
        media_root=media_root_of(media_root),
        overwrite=overwrite,
        previous=previous,
    )
    run, progress = runner_of(wanted.runner), progress_for_here()
    if data_set is None:
        mined = mine_negatives(out, task or [], wanted, run, progress, options)
    else:
        mined = [mine_data_set(out, data_set, wanted, run, progress, options)]
    print_counts("Mined", [result.counts for result in mined])
    for result in mined:
        typer.echo(_closing_line(result, out))
    if previous is not None:
        _print_changes(mined)
    typer.echo(f"report: {build_report(out, wanted)}")
    typer.echo(f"next: mine export --format {next(iter(FORMATS))} --out {out}")


def _print_changes(mined: Sequence[MinedTask]) -> None:
    """What has changed since the round before, a line a task."""
    table = Table(title="since the round before", title_justify="left", show_edge=False, pad_edge=False)
    counted = {
        "kept before": "kept_before",
        "now": "kept_now",
        "gained": "gained",
        "lost": "lost",
        "positives": "positives",
        "fell to t+": "positives_fallen",
        "negatives": "negatives",
        "rose to the positives": "negatives_risen",
        "chosen again": "negatives_again",
    }
    for heading in ("", *counted):
        table.add_column(heading, justify="right" if heading else "left")
    for result in mined:
        said = result.summary["previous"]
        table.add_row(result.task, *(f"{said[name]:,}" for name in counted.values()))
    Console().print(table)


def _data_set(
    path: Path | None,
    task: list[str] | None,
    name: str | None,
    instruction: str | None,
    split: str | None,
    columns: list[str] | None,
    scope: CorpusScope | None,
    in_batch: bool | None,
    media_root: str | None,
) -> DataSet | None:
    """The data set that the options name; None for a synthesised task."""
    told = {
        "--name": name, "--instruction": instruction, "--split": split, "--column": columns,
        "--corpus-scope": scope, "--in-batch-negatives": in_batch,
    }  # fmt: skip
    if path is None:
        alone = [option for option, value in told.items() if value not in (None, [])]
        if alone:
            raise UsageError(f"{alone[0]} says how a data set is read; name one with --dataset")
        return None
    if task:
        raise UsageError("--task names a synthesised task, --dataset a data set of your own; give one of them")
    return DataSet(
        path,
        name=name,
        instruction=(instruction or "").strip() or DEFAULT_INSTRUCTION,
        split=split,
        columns=_columns(columns or []),
        whole_corpus=scope == CorpusScope.all,
        media_root=media_root_of(media_root),
        in_batch_negatives=in_batch is not False,
    )


def _columns(told: list[str]) -> dict[str, str]:
    pairs = {field: column for field, _, column in (one.partition("=") for one in told)}
    unknown = [field for field, column in pairs.items() if field not in PAIR_NAMES or not column]
    if unknown:
        raise UsageError(f"--column {unknown[0]} is not FIELD=NAME with one of {', '.join(PAIR_NAMES)}")
    return pairs


def _fingerprint(kind: str, model: ModelSettings) -> str:
    return cast("Embedder | Reranker", load(ModelRef(kind, model))).fingerprint


def _pool(out: Path) -> pa.Table | None:
    """What the guards know of the media; a data set from elsewhere has no seed pool."""
    folder = out / "seed_pool" / "assets"
    return read_dataset(folder, list(ASSET_COLUMNS)) if read_manifest(folder) else None


def _closing_line(result: MinedTask, out: Path) -> str:
    said = result.summary
    hits = ", ".join(f"{guard} {n}" for guard, n in said["guard_hits"].items() if n) or "none"
    again = " (nothing has changed since it was mined; --overwrite mines it again)" if result.reused else ""
    malformed = ", ".join(f"{part} {why} {n}" for part, c in said.get("malformed", {}).items() for why, n in c.items())
    unusable = (
        f"; rows that could not be used: {malformed} ({out / said['data_set'] / 'rejected'})" if malformed else ""
    )
    return (
        f"{result.task}: {said['kept']} of {said['queries']} queries kept, {said['negatives']} negatives, "
        f"{said['negatives_above_positive_mean']:.1%} of them above the mean positive, "
        f"{said['without_negatives']} queries without one; held back by guards: {hits}{unusable}{again}"
    )
