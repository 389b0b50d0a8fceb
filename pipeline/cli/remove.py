"""seed-pool remove: takes items out of the pool and of everything made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli.edge import reported, settings
from pipeline.cli.options import DEFAULT_OUT, ConfigOption, OutOption, SetOption
from pipeline.errors import UsageError
from pipeline.report.page import build_report
from pipeline.seed_pool.removal import plan
from pipeline.store.removal import Loss, Removal
from pipeline.takedown import take_out


@reported
def remove_command(
    asset: Annotated[list[str] | None, typer.Option("--asset", help="An asset_id of the pool. Repeatable.")] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="A URI of the pool, a folder or tar of it, or a glob. Repeatable."),
    ] = None,
    listing: Annotated[
        Path | None, typer.Option("--list", help="A file with an asset_id, URI or glob a line.", exists=True)
    ] = None,
    out: OutOption = DEFAULT_OUT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")] = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Take items out of the pool, the tasks, the mined data, the exports, the caches and the report.

    No model runs. One reject `removed` with the URI stays, so that no later build brings the item back.
    Copies with the same bytes go too.

    Example: seed-pool remove --source 'holidays/*' --dry-run
    """
    wanted = settings(config, assignments, None)
    ids, uris = named(asset or [], source or [], listing)
    if not ids and not uris:
        raise UsageError("name what is to go: --asset ID, --source URI or --list FILE")
    removal = plan(out, ids, uris)
    losses = take_out(out, removal, dry_run)
    _print(removal, losses, dry_run)
    if not dry_run:
        typer.echo(f"report: {build_report(out, wanted)}")


def named(assets: list[str], sources: list[str], listing: Path | None) -> tuple[list[str], list[str]]:
    """Ids and URIs of the options and of the list; a line that looks like an asset_id is one."""
    lines = [] if listing is None else listing.read_text(encoding="utf-8").splitlines()
    told = [line.strip() for line in lines if line.strip()]
    is_id = {
        line: len(line) == 21 and line[0] == "a" and all(c in "0123456789abcdef" for c in line[1:]) for line in told
    }
    return [*assets, *(t for t in told if is_id[t])], [*sources, *(t for t in told if not is_id[t])]


def _print(removal: Removal, losses: list[Loss], dry: bool) -> None:
    verb = "would go" if dry else "gone"
    table = Table(
        title=f"{len(removal.named)} files, {len(removal.assets)} assets", title_justify="left", show_edge=False
    )
    for heading in ("from", verb, "rows without a document of theirs"):
        table.add_column(heading, justify="left" if heading == "from" else "right")
    for loss in losses:
        if loss.gone or loss.changed:
            table.add_row(loss.where, str(loss.gone), str(loss.changed) if loss.changed else "")
    Console().print(table)
    for uri in sorted(removal.named):
        typer.echo(f"  {uri}")
