"""Every command that the documentation shows is one that the programs and scripts take."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from pipeline.cli import export, mine, remove, seed_pool, synth
from pipeline.cli.edge import settings
from pipeline.errors import UsageError
from pipeline.mine.export import FORMATS
from pipeline.synth.tasks import chosen

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = {"seed-pool": seed_pool, "synth": synth, "mine": mine}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def closed(line: str) -> bool:
    """Whether no quote is left open; one in a comment is none."""
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return False
    return True


def commands(page: Path) -> Iterator[str]:
    """What a page's text shows of make and Python, and the lines of its blocks, fenced or indented, that call one of
    our programs too; one that a backslash or an open quote continues with the next."""
    fenced, waiting = False, ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if not (fenced or line.startswith("    ") or waiting):
            yield from re.findall(r"`((?:make|python) [^`]+)`", line)
            continue
        said, waiting = waiting + line.strip().removeprefix("$ "), ""
        if said.split(" ")[0] not in {*PROGRAMS, "make", "python"}:
            continue
        if said.endswith("\\") or not closed(said):
            waiting = said.removesuffix("\\") + " "
        else:
            yield said


class SettledError(Exception):
    """A command has its settings and would begin its work."""


def wrong_in_program(program: str, words: list[str]) -> str | None:
    """What the program says against the words; it goes no further than to its settings."""
    command, said = get_command(PROGRAMS[program].app), io.StringIO()

    def settle(*given: Any) -> None:
        settings(*given)
        raise SettledError

    def begin(body: Callable[..., Any] | None, **values: Any) -> None:
        chosen(task if isinstance(task := values.get("task"), list) else [task] if task else [])
        if values.get("form", "ms-swift") not in FORMATS:
            raise UsageError(f"there is no format {values['form']!r}")
        if body is not None and "assignments" in values:
            body(**values)

    assert isinstance(command, TyperGroup)
    for part in (command, *command.commands.values()):
        part.callback = functools.partial(begin, part.callback)
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stderr(said):
        for module in (*PROGRAMS.values(), export, remove):
            patched.setattr(module, "settings", settle)
        try:
            failed = command.main(words, program, standalone_mode=False)
        except SettledError:
            return None
        except (TyperException, UsageError) as error:
            return str(error)
    return said.getvalue() if failed else None


def wrong_in_script(words: list[str]) -> str | None:
    """What is wrong with `python WORDS`: no such script or module of ours, or an option that its text does not have."""
    if words[0] == "-m":
        if not words[1].startswith("pipeline."):
            return None  # another project's
        found = importlib.util.find_spec(words[1])
        script = Path(found.origin) if found is not None and found.origin else ROOT / "missing"
    else:
        script = ROOT / words[0]
    if not script.is_file():
        return "no such script"
    options = {w.partition("=")[0] for w in words if w.startswith("--")}
    return f"no option {unknown}" if (unknown := sorted(options - options_of(script))) else None


def options_of(script: Path) -> set[str]:
    return set(re.findall(r"""["'](--[a-z-]+)["']""", script.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_on_a_page_are_ones_the_programs_take(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "configs", "configs")
    for name, text in re.findall(r"^```yaml\n# (\S+\.yaml)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        Path(name).write_text(text)
    wrong = []
    for line in commands(page):
        program, *words = shlex.split(line, comments=True)
        for name in words:
            if name.endswith(".txt"):
                Path(name).touch()  # a reader's own list
        if program == "python":
            if (said := wrong_in_script(words)) is not None:
                wrong.append((line, said))
            continue
        if program == "make":
            wrong += [
                (line, "no such target") for w in words if "=" not in w and not w.startswith("-") and w not in TARGETS
            ]
            continue
        if (said := wrong_in_program(program, words)) is not None:
            wrong.append((line, said))
    assert not wrong


def test_what_is_wrong_is_found() -> None:
    assert wrong_in_script(["benchmarks/never.py"]) == "no such script"
    assert wrong_in_script(["benchmarks/road.py", "--never", "1"]) == "no option ['--never']"
    assert wrong_in_script(["-m", "pipeline.never"]) == "no such script"
    for line in (
        "seed-pool build data/sample --never",
        "seed-pool never",
        "seed-pool build data/sample --runner never",
        "synth run --task never",
        "mine --t-pos high",
        "mine --rule never",
        "mine --set mine.never=1",
        "mine export --format never",
    ):
        program, *words = line.split()
        assert wrong_in_program(program, words), line


def test_pages_show_commands() -> None:
    assert sum(1 for page in PAGES for _ in commands(page)) > 80
