"""A line says what was kept, byte for byte, or nothing."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.protocols import Reply, Usage
from pipeline.store.reply_cache.entries import Entry, from_line, to_line

WHOLE = Entry(
    "ab" * 32, "vlm:x", ("a1", "a2"), "2026-11-24T22:53:00Z", Reply('{"x": "猫\n"}', "stop", Usage(1, 0, 7, 3))
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)  # half surrogate pairs too
ENTRIES = st.builds(
    Entry,
    st.binary(min_size=32, max_size=32).map(bytes.hex),
    ANY_TEXT,
    st.lists(ANY_TEXT, max_size=3).map(tuple),
    ANY_TEXT,
    st.builds(Reply, ANY_TEXT, ANY_TEXT, st.builds(Usage, *[st.integers(0, 2**40)] * 4)),
)


@given(ENTRIES)
def test_what_is_written_is_read_whatever_the_model_said(entry: Entry) -> None:
    line = to_line(entry)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert from_line(line) == entry


def test_a_line_is_json_that_any_program_reads() -> None:
    line = json.loads(to_line(WHOLE))
    assert line.pop("check")
    assert line == {
        "key": "ab" * 32,
        "model": "vlm:x",
        "asset_ids": ["a1", "a2"],
        "at": "2026-11-24T22:53:00Z",
        "reply": {
            "text": '{"x": "猫\n"}',
            "finish_reason": "stop",
            "usage": {"requests": 1, "cached": 0, "input_tokens": 7, "output_tokens": 3},
        },
    }


@given(st.data())
def test_a_line_with_another_byte_says_nothing(data: st.DataObject) -> None:
    line = bytearray(to_line(WHOLE))
    line[data.draw(st.integers(0, len(line) - 1))] ^= data.draw(st.integers(1, 255))
    assert from_line(bytes(line)) is None


@given(st.integers(0, len(to_line(WHOLE)) - 2))
def test_the_beginning_of_a_line_says_nothing(length: int) -> None:
    assert from_line(to_line(WHOLE)[:length]) is None


@pytest.mark.parametrize("values", [[], {}, {"model": "m"}, {"model": "m", "asset_ids": 3, "at": "", "reply": {}}])
def test_a_whole_line_of_another_layout_says_nothing(values: object) -> None:
    rest = '",' + json.dumps(values)[1:]
    check = hashlib.sha256(("ab" * 32 + rest).encode()).hexdigest()[:16]
    assert from_line(f'{{"key":"{"ab" * 32}","check":"{check}{rest}\n'.encode()) is None
