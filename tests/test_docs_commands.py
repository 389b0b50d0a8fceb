"""Every command that the documentation shows is one that the programs take."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from typer.main import get_command

from pipeline.cli import mine, seed_pool, synth
from pipeline.config_file import load_config
from pipeline.errors import ConfigError

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = {"seed-pool": seed_pool.app, "synth": synth.app, "mine": mine.app}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands(page: Path) -> Iterator[str]:
    """Lines of a page's blocks, fenced or indented, that call one of our programs; one that a backslash or an open
    quote continues with the next."""
    fenced, waiting = False, ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if not (fenced or line.startswith("    ") or waiting):
            continue
        said, waiting = waiting + line.strip().removeprefix("$ "), ""
        if said.split(" ")[0] not in {*PROGRAMS, "make"}:
            continue
        if said.endswith("\\") or said.count("'") % 2:
            waiting = said.removesuffix("\\") + " "
        else:
            yield said


def parsed(command: click.Command, name: str, words: list[str], parent: click.Context | None = None) -> list[str]:
    """The values of --set; raises click's error for what the program would refuse."""
    context = command.make_context(name, words, parent=parent)
    chosen = [str(s) for s in context.params.get("assignments") or ()]
    rest = [*context.protected_args, *context.args] if isinstance(command, click.Group) else []
    if rest and isinstance(command, click.Group):
        sub_name, sub, more = command.resolve_command(context, rest)
        assert sub is not None
        chosen += parsed(sub, sub_name or "", more, context)
    return chosen


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_on_a_page_are_ones_the_programs_take(page: Path) -> None:
    wrong = []
    for line in commands(page):
        program, *words = shlex.split(line, comments=True)
        if program == "make":
            wrong += [
                (line, "no such target") for w in words if "=" not in w and not w.startswith("-") and w not in TARGETS
            ]
            continue
        try:
            load_config(None, parsed(get_command(PROGRAMS[program]), program, words))
        except (click.ClickException, ConfigError) as error:
            wrong.append((line, error.format_message() if isinstance(error, click.ClickException) else str(error)))
    assert not wrong


def test_pages_show_commands() -> None:
    assert sum(1 for page in PAGES for _ in commands(page)) > 40
