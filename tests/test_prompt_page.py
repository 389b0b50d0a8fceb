"""docs/prompts.md shows what is asked today."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.synth import app
from pipeline.config import Config, SynthSettings
from pipeline.errors import ConfigError
from pipeline.prompt_page import prompt_page
from pipeline.resources import names
from pipeline.synth.tasks import TASKS

DOCUMENT = Path(__file__).parents[1] / "docs" / "prompts.md"


def test_the_document_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(app, ["prompts"])
    assert printed.exit_code == 0
    assert printed.output == DOCUMENT.read_text(encoding="utf-8"), "run: synth prompts > docs/prompts.md"


def test_every_template_is_on_the_page() -> None:
    templates = [n.removesuffix(".jinja") for n in names("prompts") if not n.startswith("_")]
    headings = [line[3:] for line in prompt_page(Config()).splitlines() if line.startswith("## ")]
    assert sorted(headings) == sorted([*templates, "With every lever"])
    assert set(TASKS) < set(headings)


def test_the_page_shows_the_prompts_of_ones_own_settings(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("image: [a baker with a ```fence]", encoding="utf-8")
    own = SynthSettings(languages=("zh",), describe="once", personas=str(file))
    page = prompt_page(Config(synth=own))
    assert "everything else you write is in Chinese" in page
    assert "Who asks, should the task type be Abstract Narrative: a baker with a ```fence.\n" in page
    assert page.count("````") == 2  # the one block with a fence in it has a longer one
    with pytest.raises(ConfigError, match=r"gone\.yaml"):
        prompt_page(Config(synth=SynthSettings(personas="gone.yaml")))
