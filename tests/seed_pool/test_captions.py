"""A stranger's words become one bounded line of printable text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.seed_pool.captions import MAX_CAPTION_CHARS, shown


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
def test_a_caption_in_one_line(caption, line):
    assert shown(caption) == line


@given(st.text(max_size=3000))
def test_a_line_is_short_printable_and_stays_as_it_is(caption):
    line = shown(caption)
    if line is not None:
        assert 0 < len(line) <= MAX_CAPTION_CHARS
        assert line.isprintable()
        assert shown(line) == line
