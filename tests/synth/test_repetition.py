"""Loops of a language model and copies of a description, each with its figure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import CheckSettings
from pipeline.synth.repetition import copied, degenerate, longest_run, repeated_share
from pipeline.synth.tokens import tokens

LIMITS = CheckSettings()


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("a red red red red red red red cup", "query: 'red' 7 times in a row, limit 6"),
        ("a red red red red red red cup", None),
        ("杯杯杯杯杯杯杯", "query: '杯' 7 times in a row, limit 6"),
        ("aaaaaaaaaaaaah", "query: 'a' 13 times in a row, limit 12"),
        ("1000000000000000", None),  # a number may have noughts
        ("a line ------------------------ of dashes", None),
        # 15 words, 13 phrases, of which 5 differ
        ("a cup on a table " * 3, "query: 0.62 of its phrases of 3 words stand there before, limit 0.4"),
        ("a cup on a table a cup on a table", None),  # 8 phrases say too little
        (None, None),
    ],
)
def test_a_loop_is_rejected_with_what_runs_in_it(text, detail):
    assert degenerate({"query": text}, LIMITS) == (detail and ("degenerate_text", detail))


def test_the_first_text_that_runs_in_a_loop_is_named():
    found = degenerate({"query": "fine", "right text": "no " * 20, "wrong text": "na " * 20}, LIMITS)
    assert found == ("degenerate_text", "right text: 'no' 20 times in a row, limit 6")


def test_a_query_in_the_words_of_the_description_is_rejected():
    described = "A red cup stands on a wooden table beside a window with rain on it."
    verbatim = "a red cup stands on a wooden table beside a window"
    assert copied(described, verbatim, LIMITS) == (
        "query_copies_description",
        "1.00 of its phrases of 3 words, limit 0.8",
    )
    assert copied(described, "still life of tableware near a rainy window on wood", LIMITS) is None
    assert copied(described, "a red cup stands on a table", LIMITS) is None  # seven words
    assert copied(described, None, LIMITS) is None


def test_words_are_compared_in_any_script_without_case_and_punctuation():
    assert tokens("A Cup, a CUP!") == ("a", "cup", "a", "cup")
    assert tokens("一个 red 杯子。") == ("一", "个", "red", "杯", "子")
    assert tokens("...") == ()


@given(st.lists(st.sampled_from(["a", "b", ""]), max_size=30))
def test_the_longest_run_is_that_of_a_plain_loop(items):
    best = 0
    for start in range(len(items)):
        end = start
        while end < len(items) and items[start] and items[end] == items[start]:
            end += 1
        best = max(best, end - start)
    assert longest_run(items)[1] == best


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40))
def test_distinct_phrases_repeat_nothing_and_a_share_is_a_share(said):
    assert 0 <= repeated_share(said) < 1
    assert repeated_share([f"{i}" for i in range(len(said))]) == 0
