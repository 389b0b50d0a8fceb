"""What ms-swift's own documentation asks of a line, checked on lines as they are written."""

import json
import re
from typing import Any

import pytest

from pipeline.mine.export.ms_swift import records, refuses
from tests.mine.export.rows import content, row


def broken_rules(line: dict[str, Any]) -> list[str]:
    """The alignment rules: as many media as tags, message list by message list."""
    broken = []
    if len(line["positive_messages"]) != 1:
        broken.append("one positive a line")
    for group in ("", "positive_", "negative_"):
        messages = line.get(f"{group}messages", [])
        for medium in ("image", "video"):
            lists = [messages] if group == "" else messages
            tags = [sum(m["content"].count(f"<{medium}>") for m in one) for one in lists]
            media = line.get(f"{group}{medium}s", [] if group == "" else [[] for _ in lists])
            counted = [len(media)] if group == "" else [len(inner) for inner in media]
            if tags != counted:
                broken.append(f"{group}{medium}s: {tags} tags, {counted} media")
    return broken


CASES = [
    row(content("a cat"), [content(image="/m/cat.jpg")], [content(image="/m/dog.jpg"), content(image="/m/fox.jpg")]),
    row(content("who?", image="/m/a.jpg"), [content("me")], [content("you"), content("they")]),
    row(content("when?", video="/m/a.mp4"), [content(video="/m/b.mp4")], [content("text"), content(image="/m/c.jpg")]),
    row(content("a"), [content("b"), content("c")], []),
]


@pytest.mark.parametrize("case", CASES)
def test_every_line_has_as_many_media_as_tags(case: dict[str, Any]) -> None:
    assert refuses(case) is None
    lines = [json.loads(json.dumps(line)) for line in records(case)]
    assert len(lines) == len(case["positives"])
    for line in lines:
        assert broken_rules(line) == []
        assert len(line.get("negative_messages", [])) == len(case["negatives"])
        assert [m["role"] for m in line["messages"]] == ["system", "user"]
        assert {m["role"] for one in line["positive_messages"] for m in one} == {"user"}


def test_media_stand_before_the_text_in_their_message() -> None:
    (line,) = records(CASES[1])
    assert line["messages"][1]["content"] == "<image>who?"
    assert line["images"] == ["/m/a.jpg"]


@pytest.mark.parametrize("tag", ["<image>", "<video>", "<audio>", "<bbox>", "<ref-object>"])
@pytest.mark.parametrize("place", ["query", "positives", "negatives"])
def test_a_text_that_holds_a_tag_is_refused(tag: str, place: str) -> None:
    texts = {"query": "q", "positives": "p", "negatives": "n"}
    texts[place] = f"press the {tag} button"
    case = row(content(texts["query"]), [content(texts["positives"])], [content(texts["negatives"])])
    assert refuses(case) == "media_tag_in_text"
    assert refuses(row(content(re.sub("[<>]", "", tag)), [content("p")], [])) is None


def test_a_row_without_negatives_is_refused_only_where_those_of_the_batch_are_forbidden() -> None:
    assert refuses(row(content("q"), [content("p")], [], in_batch=False)) == "without_negatives"
    assert refuses(row(content("q"), [content("p")], [content("n")], in_batch=False)) is None
    assert refuses(row(content("q"), [content("p")], [])) is None
