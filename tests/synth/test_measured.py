"""Only what is measured to be false beyond doubt is rejected, with the figure."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.config import FrameSettings, SynthSettings
from pipeline.models.protocols import TextLine
from pipeline.synth.annotation import Annotation
from pipeline.synth.judging import Case
from pipeline.synth.measurable import colour_named, quoted_text, resemblance, speaks_of_colours, unread, wrong_colours
from pipeline.synth.measured import READS_TEXT, refuted
from pipeline.synth.subjects import subject, subjects
from pipeline.synth.task import Example
from pipeline.synth.tasks import TASKS
from tests.synth.samples import GREEN, LIMITS, PLAIN, asset, lines, pool, seen

ASKED = "What is the dominant colour of the picture?"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ('The sign says "Blue Harbour".', "Blue Harbour"),
        ("„Ausgang“", "Ausgang"),
        ("HARBOUR STREET", "HARBOUR STREET"),
        ("Blue Harbour", None),  # may be put in words of its own
        ("1234", None),  # may be worked out
        ("EXI", None),
        ("ВЫХОД", None),  # not in letters that OCR reads here
        ("", None),
    ],
)
def test_a_text_counts_as_quoted_only_where_it_says_so(answer, text):
    assert quoted_text(answer) == text


def test_a_quoted_text_that_nothing_read_resembles_is_refuted():
    read = lines("Blue Harbour", "Fish Market")
    assert unread("BLUE HARB0UR", read, LIMITS) is None  # nearly
    reason, detail = unread("MUSIC SCHOOL", read, LIMITS) or ("", "")
    assert reason == "not_grounded"
    assert "limit 0.5: 'Blue Harbour | Fish Market'" in detail


def test_without_lines_and_with_unsure_ones_all_is_open():
    assert unread("MUSIC SCHOOL", (), LIMITS) is None
    unsure = (*lines("Blue Harbour"), TextLine("?~", 0.4, 0.01))
    assert unread("MUSIC SCHOOL", unsure, LIMITS) is None


@given(st.text("abc", min_size=1, max_size=6), st.text("abc", max_size=8))
def test_resemblance_is_that_of_the_best_place_by_trying_all(text, read):
    def edits(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(edits(a[1:], b) + 1, edits(a, b[1:]) + 1, edits(a[1:], b[1:]) + (a[0] != b[0]))

    places = {read[i:j] for i in range(len(read) + 1) for j in range(i, min(len(read), i + len(text) + 1) + 1)}
    best = min(edits(text, place) for place in places) if len(text) * len(read) <= 20 else None
    if best is not None:
        assert resemblance(text, read) == pytest.approx(1 - best / len(text))
    assert 0 <= resemblance(text, read) <= 1


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ("Green", "Red", None),
        ("Red", "Green", "not_grounded"),
        ("Brown", "Red", None),  # there is some
        ("It is light red.", "Blue", "not_grounded"),
        ("The red of the roofs", "Blue", None),  # says more
        ("Teal", "Green", "negative_is_true"),
    ],
)
def test_the_dominant_colour_is_measured(right, wrong, reason):
    example = Example(ASKED, right, wrong)
    assert speaks_of_colours(example)
    found = wrong_colours(example, seen(GREEN), LIMITS)
    assert (found and found[0]) == reason


@pytest.mark.parametrize(
    ("text", "facts", "reason"),
    [
        ("a mostly red picture of a meadow", GREEN, "not_grounded"),
        ("a mostly green picture of a meadow", GREEN, None),
        ("a black-and-white photo of a meadow", GREEN, "not_grounded"),
        ("a black and white photo", replace(PLAIN, colours=(("grey", 0.8), ("brown", 0.2))), None),  # sepia
    ],
)
def test_what_a_query_says_of_the_whole_is_measured(text, facts, reason):
    assert speaks_of_colours(Example(text))
    found = wrong_colours(Example(text), seen(facts), LIMITS)
    assert (found and found[0]) == reason


def test_colours_of_things_and_denials_are_left_open():
    for text in (
        "What is the dominant colour of the car in the picture?",
        "a meadow, not a black and white photo",
        "a mostly red car",
        "a black and white cat",
    ):
        assert not speaks_of_colours(Example(text, "Red", "Blue"))


def test_the_one_colour_of_an_answer():
    assert colour_named("Dark Gray.") == "grey"
    assert colour_named("red and blue") is None
    assert colour_named(None) is None


class Reading:
    fingerprint = "reading"

    def __init__(self, *texts):
        self.texts, self.looked = texts, 0

    def read(self, picture):
        self.looked += 1
        return list(lines(*self.texts))


def verdict(tmp_path, example, task_type, reader):
    spec = TASKS["image_qa"]
    what = subject(subjects(pool(asset("a", None)), spec, ["en"]).to_pylist()[0])
    settings = Annotation("image_qa", SynthSettings(), FrameSettings(), tmp_path / "cache", tmp_path, 0)
    return refuted(Case(spec, what, "a", task_type, example, 0), settings, reader)


def test_frames_are_measured_where_the_pool_has_no_facts_and_only_for_what_is_said(tmp_path):
    Image.new("RGB", (200, 200), (30, 160, 60)).save(tmp_path / "a.png")
    reader = Reading("Blue Harbour")
    signs = Example("What does the sign say?", '"Music School"', '"Blue Harbour"')
    found = verdict(tmp_path, signs, READS_TEXT, reader)
    assert found is not None
    assert found[0] == "not_grounded"
    assert reader.looked == 1
    assert verdict(tmp_path, signs, "Visual Reasoning", reader) is None
    assert verdict(tmp_path, Example(ASKED, "Red", "Green"), "Factoid Identification", reader) == (
        "not_grounded",
        "red covers 0.00 of it, limit 0.05; green 1.00",
    )
    assert reader.looked == 1
