"""synth cache: the replies of VLMs that were paid for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from pipeline.cli.edge import reported
from pipeline.cli.options import DEFAULT_OUT, OutOption
from pipeline.errors import UsageError
from pipeline.store.reply_cache.cached_vlm import REPLIES
from pipeline.store.reply_cache.entries import Entry, moment
from pipeline.store.reply_cache.stock import Stock, prune, stock

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@reported
def cache_command(
    out: OutOption = DEFAULT_OUT,
    pruning: Annotated[
        bool, typer.Option("--prune", help="Delete replies; say which. A VLM is asked again for what is needed.")
    ] = False,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Those older than e.g. 30d (m, h, d, w).")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Those of the models whose name in the table contains this.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")] = False,
) -> None:
    """Show what VLMs have answered for OUT, or delete some of it (docs/vlm-cache.md).

    Replies are kept in OUT/cache/replies by model, prompt, pixels, schema and seed, and serve all commands and
    reruns. Tokens are those that the replies cost, and would cost again.

    Example: synth cache --prune --older-than 30d --dry-run
    """
    cache = out / "cache"
    kept = stock(cache)
    if not pruning:
        if older_than or model or everything or dry_run:
            raise UsageError("--older-than, --model, --all and --dry-run say what --prune deletes; add --prune")
        _print("Cached replies", kept)
        typer.echo(f"{_sum(kept)}: {cache / REPLIES}")
        return
    goes = _chosen(older_than, model, everything, [s.model for s in kept])
    gone = stock(cache, goes)
    if not dry_run:
        prune(cache, out / ".work", goes)
    _print("Would go" if dry_run else "Gone", gone)
    typer.echo(f"{_sum(gone)} {'would go' if dry_run else 'gone'}: {cache / REPLIES}")


def age(text: str) -> timedelta:
    """A length of time such as 30d. Raises UsageError."""
    found = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if found is None:
        raise UsageError(f"--older-than {text!r} is no length of time; write a number and m, h, d or w, such as 30d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _chosen(
    older_than: str | None, model: str | None, everything: bool, models: Sequence[str]
) -> Callable[[Entry], bool]:
    """Which entries the options mean: what fits all of them."""
    if everything == bool(older_than or model):
        raise UsageError("say which replies are to go: --older-than AGE, --model NAME or both, or --all alone")
    if model and models and not any(model in name for name in models):
        raise UsageError(f"--model {model!r} is in no name; replies are kept of: {', '.join(models)}")
    before = moment(datetime.now(UTC) - age(older_than)) if older_than else None

    def goes(entry: Entry) -> bool:
        return (before is None or entry.at < before) and (model is None or model in entry.model)

    return goes


def _print(title: str, stocks: Sequence[Stock]) -> None:
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for heading in ("model", "replies", "size", "oldest", "newest", "input tokens", "output tokens", "damaged"):
        name = heading == "model"
        table.add_column(heading, justify="left" if name else "right", overflow="fold", no_wrap=not name)
    for s in stocks:
        figures = (s.usage.input_tokens, s.usage.output_tokens, s.damaged)
        table.add_row(Text(s.model), str(s.entries), decimal(s.bytes), s.oldest[:10], s.newest[:10], *map(str, figures))
    Console().print(table)


def _sum(stocks: Sequence[Stock]) -> str:
    return f"{sum(s.entries for s in stocks)} replies, {decimal(sum(s.bytes for s in stocks))}"
