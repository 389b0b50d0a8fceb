"""Whatever comes back becomes a Reply."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.openai.completions import reply_of, usage_of
from pipeline.models.protocols import Reply, Usage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def completion(**changes):
    choice = {"index": 0, "message": {"role": "assistant", "content": "{}"}, "finish_reason": "stop", **changes}
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    return {"id": "x", "choices": [choice], "usage": usage}


def read(value, in_prompt=False):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return reply_of(data, 10_000, in_prompt)


COST = Usage(requests=1, input_tokens=12, output_tokens=3)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Reply("{}", "stop", COST)),
        ({"finish_reason": None}, Reply("{}", "stop", COST)),
        ({"finish_reason": "eos"}, Reply("{}", "stop", COST)),
        ({"finish_reason": "length"}, Reply("{}", "length", COST)),
        ({"finish_reason": "content_filter", "message": {"content": None}}, Reply("", "content_filter", COST)),
        ({"message": {"content": None, "refusal": "I cannot"}}, Reply("I cannot", "content_filter", COST)),
        ({"message": {"content": None}}, Reply("", "stop", COST)),
        ({"message": {"content": "```json\n{}\n```"}}, Reply("```json\n{}\n```", "stop", COST)),
    ],
)
def test_a_completion_is_its_text_its_end_and_its_cost(changes, expected):
    assert read(completion(**changes)) == expected


def test_of_several_choices_the_first_counts():
    several = completion()
    several["choices"].append({"index": 1, "message": {"content": "other"}})
    assert read(several).text == "{}"


def test_a_fence_is_no_part_of_a_reply_that_only_the_prompt_asked_json_for():
    assert read(completion(message={"content": "```json\n{}\n```"}), in_prompt=True).text == "{}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>502</html>",
        b"null",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": 3}}]}',
        b'{"choices": [{"message": {"content": [{"type": "text", "text": "x"}]}}]}',
        b'{"choices": [{"message": {"content": "\xff\xfe"}}]}',
        b'{"choices": [{"message": {"content": "\\ud800"}}]}',
        b'{"choices": [{"message": {"content": "x"}}',
        b'{"error": {"message": "upstream died"}}',
        b"[" * 9_000,
        "{}".encode("utf-16"),
    ],
)
def test_what_is_no_completion_is_garbled_and_shown(data):
    reply = read(data)
    assert (reply.finish_reason, reply.usage) == ("garbled", Usage(requests=1))
    assert reply.text[:5] == data.decode("utf-8", "replace")[:5]
    assert len(reply.text) <= 1000


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_raise(data):
    assert read(data).finish_reason in {"stop", "length", "content_filter", "garbled"}


@given(JSON)
def test_no_value_of_a_field_raises(value):
    for broken in (completion(message=value), completion(finish_reason=value), {**completion(), "usage": value}):
        assert read(broken).usage.requests == 1


@pytest.mark.parametrize(
    "said",
    [None, {}, 3, {"prompt_tokens": -1}, {"prompt_tokens": "many"}, {"prompt_tokens": 10**30}, {"prompt_tokens": 1.5}],
)
def test_a_cost_that_is_not_told_in_whole_numbers_is_not_counted(said):
    assert usage_of(said) == Usage(requests=1)
