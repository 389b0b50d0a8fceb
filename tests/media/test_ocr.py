from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from pipeline.media.ocr import RapidOcrReader, word_spans

LINES = ("Welcome to Berlin", "Exit only", "STOP")


def ink(pattern: str) -> np.ndarray:
    """'#' is a column with ink; each character stands for three columns."""
    return np.repeat(np.array([c == "#" for c in pattern]), 3)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("##.##....#.##", 2),  # gaps of 3, 12 and 3 px
        ("##.##.##", 1),  # letters only
        ("##....##", 1),  # one gap has nothing to be compared with
        ("#....#....#....#", 1),  # wide-set letters, all alike
        ("#.#...#.#....#.#", 3),
        (".....", 0),
        ("..##..", 1),
    ],
)
def test_words_are_parted_where_gaps_stand_out(pattern: str, words: int) -> None:
    assert len(word_spans(ink(pattern))) == words


@given(st.lists(st.booleans(), max_size=200))
def test_word_spans_cover_all_ink_in_order_and_never_overlap(columns: list[bool]) -> None:
    row = np.array(columns, bool)
    spans = word_spans(row)
    covered = np.zeros(len(row), bool)
    for start, end in spans:
        assert start < end
        covered[start:end] = True
    assert not (row & ~covered).any()
    assert all(a[1] < b[0] for a, b in pairwise(spans))


def test_lines_are_read_with_their_spaces_and_twice_the_same() -> None:
    page = Image.new("RGB", (640, 360), "white")
    for row, text in enumerate(LINES):
        ImageDraw.Draw(page).text((40, 40 + 100 * row), text, font=ImageFont.load_default(30), fill="black")
    reader = RapidOcrReader()
    lines = reader.read(np.asarray(page))
    assert [line.text for line in lines] == list(LINES)
    assert all(line.confidence > 0.9 and 0 < line.share < 0.2 for line in lines)
    assert reader.read(np.asarray(page)) == lines
