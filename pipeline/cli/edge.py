"""Where commands meet the world: errors become one line and an exit code, counts a table."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from pipeline.atomic import NO_ROOM
from pipeline.config import AnyModel, Config, RunnerSettings, ScorerSettings
from pipeline.config_file import load_config
from pipeline.errors import SeedmineError, UsageError
from pipeline.media.urls import is_url
from pipeline.models.load import load
from pipeline.stage import Counts, ModelRef, Runner

P = ParamSpec("P")
R = TypeVar("R")


def reported(command: Callable[P, R]) -> Callable[P, R]:
    """Turn our errors, and a disk that is full or forbidden, into one line on stderr and exit 1 or 2."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except SeedmineError as error:
            _say(str(error))
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:  # `| head`: the reader has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            fix = f"; {NO_ROOM[error.errno]} and run the command again" if error.errno in NO_ROOM else ""
            _say(f"{error.strerror or error}{where}{fix}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            _say("interrupted; run the same command again to go on where it stopped")
            raise typer.Exit(130) from None

    return wrapped


def _say(message: str) -> None:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")


def settings(config: Path | None, assignments: list[str] | None, runner: str | None) -> Config:
    """The configuration a command runs with."""
    extra = [] if runner is None else [f"runner.kind={runner}"]
    return load_config(config, [*(assignments or []), *extra])


def in_languages(assignments: list[str] | None, languages: str | None) -> list[str]:
    """Assignments with what `--language zh,en` says, which wins over them."""
    codes = [] if languages is None else [f"synth.languages={json.dumps(languages.replace(' ', '').split(','))}"]
    return [*(assignments or []), *codes]


def media_root_of(given: str | None) -> str | None:
    """Where `--media-root` says that the media lie. Raises UsageError for a folder that is not there."""
    if given is None or is_url(given):
        return given
    if not Path(given).is_dir():
        raise UsageError(f"--media-root {given} is no folder; name the one that holds the media now, or a URL")
    return str(Path(given).resolve())


def runner_of(wanted: RunnerSettings) -> Runner:
    """Start the runner a configuration names."""
    if wanted.kind == "local":
        from pipeline.runners.local import LocalRunner

        return LocalRunner(wanted)
    from pipeline.runners.ray import RayRunner

    return RayRunner(wanted)


def foreign_models(used: Mapping[str, tuple[str, AnyModel]]) -> dict[str, str]:
    """Fingerprints of the models that are not builtin: a folder may hold other weights today.

    used: by name, the kind and settings of each. What is builtin is pinned with the package.
    """
    named = {name: load(ModelRef(kind, s)) for name, (kind, s) in used.items() if s.adapter != "builtin"}
    return {name: str(model.fingerprint) for name, model in named.items()}  # type: ignore[attr-defined]


def scorer_models(scorers: tuple[ScorerSettings, ...]) -> dict[str, str]:
    """The fingerprint of the scorers, where there are any. Raises ModelError when one cannot be loaded."""
    return {"scorers": str(load(ModelRef("scorers", scorers)).fingerprint)} if scorers else {}  # type: ignore[attr-defined]


def print_counts(title: str, counts: Sequence[Counts]) -> None:
    """The closing table: a line a stage, with its rejects by reason."""
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for heading in ("stage", "in", "out", "kept", "rejected"):
        table.add_column(heading, justify="left" if heading == "stage" else "right", no_wrap=heading == "stage")
    table.add_column("reasons", overflow="fold")
    table.add_column("seconds", justify="right")
    for c in counts:
        reasons = ", ".join(f"{reason} {n}" for reason, n in c.rejected.items())
        lost = sum(c.rejected.values())
        table.add_row(
            c.stage, str(c.rows_in), str(c.rows_out), str(c.rows_kept), str(lost), reasons, f"{c.seconds:.1f}"
        )
    Console().print(table)
