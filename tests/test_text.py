from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import MAX_CAPTION_CHARS, normalised, shown_caption


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Golden Retriever", "golden retriever"),
        ("  two\t\n words  ", "two words"),
        ("A dog.", "a dog"),
        ('"Stop!"', "stop"),
        ("Straße", "strasse"),
        ("ﬁsh", "fish"),  # a ligature
        ("ＡＢＣ", "abc"),  # full-width letters
        ("是的。", "是的"),
        ("3.14", "3.14"),  # inner punctuation stays
        ("", ""),
        ("?!", ""),
    ],
)
def test_texts_that_say_the_same_have_one_form(text: str, expected: str) -> None:
    assert normalised(text) == expected


@given(st.text(alphabet="aB .!?\"'\u3002\u00df\uff21\t", max_size=12))
def test_case_and_outer_white_space_never_matter(text: str) -> None:
    assert normalised(f" {text}\n") == normalised(text)
    assert normalised(text.upper()) == normalised(text.lower())


@pytest.mark.parametrize(
    ("caption", "line"),
    [
        (None, None),
        ("", None),
        (" \n\t ", None),
        ("\u202e\x00\u200b", None),
        (" A red\r\ncup. ", "A red cup."),
        ("红色的 杯子", "红色的 杯子"),
        ("a\u202eb\u2028c\x1bd", "a b c d"),
        ("x" * 10**6, "x" * MAX_CAPTION_CHARS),
    ],
)
def test_a_caption_is_shown_in_one_printable_line(caption: str | None, line: str | None) -> None:
    assert shown_caption(caption) == line


@given(st.text(max_size=3000))
def test_a_line_is_short_printable_and_stays_as_it_is(caption: str) -> None:
    line = shown_caption(caption)
    if line is not None:
        assert 0 < len(line) <= MAX_CAPTION_CHARS
        assert line.isprintable()
        assert shown_caption(line) == line
