import pyarrow as pa
import pytest

from pipeline.config import SynthSettings
from pipeline.synth import checks
from pipeline.synth.checks import Checking, check_examples
from pipeline.synth.subjects import subjects
from pipeline.synth.task import Example, Span
from pipeline.synth.tasks import TASKS
from pipeline.synth.tokens import word_count
from tests.synth.samples import asset, clip, pool

CLIPS = (clip("a", "f", 0.0, 4.0), clip("b", "f", 4.0, 10.0), clip("c", "f", 12.0, 20.0))


def verdict(name, language="en", **keys):
    """The reason for which a response is rejected, None when it passes."""
    spec = TASKS[name]
    assets = CLIPS if spec.document == "moment" else (asset("a"),) if spec.medium == "image" else CLIPS[:1]
    table = subjects(pool(*assets), spec, [language])
    response = spec.response.model_validate({"description": "ok", "task_type": next(iter(spec.task_types)), **keys})
    table = table.append_column("response", [[response.model_dump_json()]])
    table = table.append_column("given", pa.nulls(1, pa.string()))
    table = table.append_column("holds", pa.nulls(1, pa.string()))
    settings = SynthSettings(min_gap_s=1.0, max_description_words=6)
    reject = check_examples(table, Checking(name, settings)).column("reject").to_pylist()[0]
    return reject and reject["reason"]


def qa(**keys):
    base = {"question": "What is it?", "positive_answer": "a cup", "hard_negative_answer": "a vase"}
    return verdict("image_qa", **{**base, **keys})


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({}, None),
        ({"description": "one two three four five six"}, None),
        ({"description": "one two three four five six seven"}, "description_too_long"),
        ({"question": "?!"}, "empty_query"),
        ({"positive_answer": "..."}, "empty_answer"),
        ({"hard_negative_answer": '"'}, "empty_negative"),
        ({"hard_negative_answer": " A  CUP."}, "answer_equals_negative"),
        ({"question": "Is this a Cup, or what?"}, "answer_in_question"),
        ({"question": "Are these a cups?"}, None),
        ({"question": "What is C++ for?", "positive_answer": "C++"}, "answer_in_question"),
        ({"question": "Что это такое?"}, "wrong_language"),
        ({"positive_answer": "ВЫХОД"}, None),  # quoted text keeps its language
    ],
)
def test_question_answering_example_is_checked(keys, reason):
    assert qa(**keys) == reason


def test_label_equal_to_its_misleading_label_is_rejected():
    assert verdict("image_classification", label="Cup", misleading_label="cup") == "answer_equals_negative"
    assert verdict("image_classification", label="cup", misleading_label="vase") is None


def test_label_in_another_script_is_rejected():
    chinese = {"description": "一个杯子", "label": "杯子"}
    assert verdict("image_classification", "zh", **chinese, misleading_label="花瓶") is None
    assert verdict("image_classification", "zh", **chinese, misleading_label="vase") == "wrong_language"


@pytest.mark.parametrize(
    ("span", "irrelevant", "reason"),
    [
        ((1.0, 3.0), (12.0, 14.0), None),
        ((0.0, 4.0), (5.0, 10.0), None),  # a gap of exactly the limit
        ((0.0, 4.04), (5.1, 10.0), None),  # a rounded time
        ((3.0, 3.0), (12.0, 14.0), "empty_span"),
        ((1.0, 3.0), (14.0, 12.0), "empty_span"),
        ((1.0, 3.0), (99.0, 101.0), "span_outside_video"),
        ((1.0, 3.0), (9.0, 12.5), "span_outside_segments"),
        ((3.0, 5.0), (12.0, 14.0), "span_outside_segments"),
        ((0.0, 4.0), (4.5, 10.0), "irrelevant_span_too_close"),
        ((5.0, 9.0), (6.0, 7.0), "irrelevant_span_too_close"),
    ],
)
def test_spans_of_a_moment_are_checked(span, irrelevant, reason):
    times = dict(zip(("start_s", "end_s", "irrelevant_start_s", "irrelevant_end_s"), (*span, *irrelevant), strict=True))
    assert verdict("moment_retrieval", query="a door opens", **times) == reason


def test_answer_in_a_script_without_spaces_is_found_inside_the_question():
    assert checks.answer_in_question(Example("这个杯子是什么？", "杯子", "花瓶"))[0] == "answer_in_question"


def test_words_are_counted_between_spaces_and_characters_where_there_are_none():
    assert word_count("two words") == 2
    assert word_count("一个杯子") == 4
    assert word_count("一个 red 杯子") == 5


def test_spans_cover_each_other_from_half_of_the_shorter_on():
    assert Span(0, 4).covers(Span(2, 10))
    assert not Span(0, 4).covers(Span(2.1, 10))
    assert Span(0, 100).covers(Span(5, 6))
    assert not Span(0, 4).covers(Span(2, 2))
    assert Span(0, 4).gap_to(Span(6, 7)) == Span(6, 7).gap_to(Span(0, 4)) == 2
