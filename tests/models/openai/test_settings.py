"""What may be set, and that the page on it is complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import RUN_ONLY, ServerSettings
from pipeline.config_file import load_config
from pipeline.errors import ConfigError
from pipeline.models.openai.formats import LADDER

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/vlm.md").read_text(encoding="utf-8")
URL = "vlm.base_url=http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["vlm.adapter=openai"], r"vlm.base_url is None .*needs the address of a server, e.g. http"),
        (["vlm.base_url=127.0.0.1:8000"], "no http or https URL"),
        (["vlm.base_url=file:///etc"], "no http or https URL"),
        (["vlm.base_url=http://me:secret@host/v1"], "a key goes into the variable that server.api_key_env names"),
        (["vlm.base_url=https://host/v1?key=secret"], "more than a place"),
        (["vlm.base_url=http://host:99999/v1"], "Port out of range"),
        ([URL, "vlm.server.extra_body={stream: true, top_k: 3}"], "stream: the adapter writes this itself"),
        ([URL, "vlm.server.omit=[model]"], "vlm.server.omit"),
        ([URL, "vlm.server.concurency=3"], "did you mean 'vlm.server.concurrency'"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_its_fix(assignments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(None, assignments)


def test_the_shipped_example_asks_a_server_on_this_machine() -> None:
    vlm = load_config(ROOT / "configs/server.yaml").vlm
    assert (vlm.adapter, vlm.base_url) == ("openai", "http://127.0.0.1:8000/v1")
    assert vlm.server.extra_body == {"top_k": 20}


def test_further_fields_are_set_one_by_one() -> None:
    settings = load_config(None, [URL, "vlm.server.extra_body.top_k=20", "vlm.server.extra_body.a={b: [1, 2]}"])
    assert settings.vlm.server.extra_body == {"top_k": 20, "a": {"b": [1, 2]}}


def test_equal_settings_have_one_hash_in_whatever_order_they_were_given() -> None:
    one, other = (ServerSettings(extra_body=dict(items)) for items in ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)]))
    assert (one, hash(one)) == (other, hash(other))


def test_the_page_names_every_setting_and_marks_those_that_change_no_row() -> None:
    for name in ServerSettings.model_fields:
        mark = " *" if name in RUN_ONLY["vlm"]["server"] else ""
        assert f"| `{name}`{mark} |" in PAGE


def test_the_page_names_every_way_of_asking_for_json() -> None:
    rows = [line.split("`")[1] for line in PAGE.split("| `json_mode` | the")[1].splitlines() if line.startswith("| `")]
    assert rows[: len(LADDER)] == [form.name for form in LADDER]
