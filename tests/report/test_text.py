from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from pipeline.report.text import clipped, is_hidden, percent, plain, prose, seconds, span, visible


def test_markup_in_a_name_is_escaped() -> None:
    assert visible("<b>&'\"") == Markup("<bdi>&lt;b&gt;&amp;&#39;&#34;</bdi>")


@pytest.mark.parametrize("char", ["\u202e", "\u2066", "\u200b", "\n", "\x00", "\ufeff", "\u2028", "\U000e0041"])
def test_hidden_characters_are_spelt_out(char: str) -> None:
    code = f"U+{ord(char):04X}"
    assert visible(f"a{char}b") == Markup('<bdi>a<span class="code-point">{}</span>b</bdi>').format(code)
    assert plain(f"a{char}b") == f"a[{code}]b"


def test_joiners_stay_in_emoji_and_are_shown_between_ascii_letters() -> None:
    family = "\U0001f468\u200d\U0001f469"
    assert visible(family) == Markup("<bdi>{}</bdi>").format(family)
    assert "U+200D" in visible("pay\u200dpal")


def test_letters_of_any_script_are_left_alone() -> None:
    assert visible("naïve 猫 שלום") == Markup("<bdi>naïve 猫 שלום</bdi>")


@given(st.text(max_size=40))
def test_no_hidden_character_reaches_the_page(text: str) -> None:
    before = " "
    for char in str(visible(text)):
        assert not is_hidden(char, before) or char in "\u200c\u200d"
        before = char


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert clipped("abcdef", 6) == "abcdef"
    assert clipped("abcdefg", 6) == "abcde…"


def test_line_breaks_in_prose_are_blanks() -> None:
    assert prose("one\n  two\tthree") == Markup("<bdi>one two three</bdi>")


def test_numbers_read_well() -> None:
    assert percent(1, 3) == "33.3 %"
    assert percent(0, 0) == "–"
    assert [seconds(s) for s in (0.034, 12.34, 59.96, 75, 3700)] == [
        "0.03 s",
        "12.3 s",
        "60.0 s",
        "1 min 15 s",
        "1 h 1 min",
    ]
    assert span(3.2, 67.94) == "0:03.2–1:07.9"
    assert span(3.0, 3.0) == "0:03.0"
    assert span(None, None) == ""
