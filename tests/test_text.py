from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import normalised


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
