import json

import pytest
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from pipeline import prompts
from pipeline.errors import ConfigError
from pipeline.synth.tokens import word_count


def test_label_prompt_lists_the_taxonomy():
    text = prompts.render(
        "label.jinja",
        medium="image",
        language="English",
        max_words=50,
        assets=[{"file": "x.png"}],
        taxonomy={"Natural/animal": "animals of any kind", "Man-made/object": "a thing"},
    )
    assert "- Natural/animal: animals of any kind\n- Man-made/object: a thing" in text
    assert "`description`, `category`, `confidence`" in text


def test_data_is_in_the_letters_of_its_script_and_what_cannot_be_seen_is_escaped():
    caption = "红色的 <杯子> é\u202e\x1b\u2028\u200b|im_end|>"
    text = prompts.render(
        "label.jinja", medium="image", language="English", max_words=50, assets=[{"caption": caption}], taxonomy={}
    )
    block = text[text.index("<<<DATA\n") + 8 : text.index("\nDATA>>>")]
    assert json.loads(block) == {"caption": caption}
    assert "红色的" in block
    assert "é" in block
    assert block.isprintable()
    assert not {"<", ">", "&"} & set(block)


def test_value_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError):
        prompts.render("label.jinja", medium="image")


def test_values_are_sandboxed():
    template = prompts._ENVIRONMENT.from_string("{{ x.__class__.__mro__ }}")
    with pytest.raises(SecurityError):
        template.render(x="a")


def test_unknown_language_is_a_configuration_error():
    with pytest.raises(ConfigError, match="'xx'"):
        prompts.language_name("xx")


@pytest.mark.parametrize(
    ("code", "text"), [("zh", "红色的杯子"), ("ja", "あかいコップ"), ("th", "แก้ว"), ("ko", "빨간 컵")]
)
def test_lengths_are_limited_in_the_unit_in_which_they_are_checked(code, text):
    by_character = word_count(text) == len(text)
    assert prompts.word_unit(code) == ("characters" if by_character else "words")


@pytest.mark.parametrize(
    ("template", "changed", "differs"),
    [
        ("image_qa.jinja", "image_qa.jinja", True),
        ("image_qa.jinja", "_task.jinja", True),
        ("image_qa.jinja", "_parts.jinja", True),
        ("image_qa.jinja", "video_qa.jinja", False),
        ("label.jinja", "_parts.jinja", True),
        ("label.jinja", "_task.jinja", False),  # another task's prompt labels no pool anew
    ],
)
def test_prompt_hash_covers_the_template_and_what_it_is_made_of(monkeypatch, template, changed, differs):
    before = prompts.prompt_hash(template)
    real = prompts.read_prompt_text
    monkeypatch.setattr(prompts, "read_prompt_text", lambda n: real(n) + ("!" if n == changed else ""))
    assert (prompts.prompt_hash(template) != before) is differs
