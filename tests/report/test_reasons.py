"""Every code that the data can hold has its words."""

import re
from pathlib import Path

import pytest

import pipeline
from pipeline.report import reasons
from pipeline.synth.tasks import TASKS

SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted(Path(pipeline.__file__).parent.rglob("*.py"))
    if path != Path(reasons.__file__)
)


def test_every_task_says_what_finds_what_and_no_other_is_named() -> None:
    assert {name: bool(reasons.meaning_of_task(name)) for name in TASKS} == dict.fromkeys(TASKS, True)
    assert set(reasons._TASKS) == set(TASKS)


@pytest.mark.parametrize("code", sorted({**reasons._POOL, **reasons._SYNTH, **reasons._MINE, **reasons._GUARDS}))
def test_a_code_that_has_words_stands_in_the_source(code: str) -> None:
    assert re.search(rf"\b{code}\b", SOURCE)


def test_every_reject_of_the_seed_pool_stands_in_its_documentation() -> None:
    page = (Path(pipeline.__file__).parent.parent / "docs" / "seed-pool.md").read_text(encoding="utf-8")
    codes = {**reasons._POOL, **reasons.REASONS, **reasons.REFUSALS}
    assert [code for code in codes if f"| `{code}` |" not in page] == []


def test_an_unknown_code_is_spelt_out() -> None:
    assert reasons.meaning_of_reject("too_many_cooks") == "too many cooks"
    assert reasons.meaning_of_task("a_data_set_of_my_own") == ""
