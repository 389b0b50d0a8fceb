"""The adapter as a Vlm: order, places, streams, names."""

import asyncio
import json
import threading
import time

import pytest

from pipeline.config import ServerSettings
from pipeline.models.load import load
from pipeline.models.openai.vlm import OpenAiVlm, fingerprint
from pipeline.stage import ModelRef
from tests.models.chat_server import ChatServer, chat, prompt_of
from tests.models.openai.asking import SCHEMA, adapter, requests, rows_asked, settings, small_ones_well


def echo(wait_s=0.0):
    """Every row gets its own words back; the later it was asked the sooner."""

    def decide(asked):
        answer = chat(json.dumps({"said": prompt_of(asked)}))
        if not wait_s:
            return answer

        async def late(wire):
            await asyncio.sleep(wait_s)
            await answer(wire)

        return late

    return small_ones_well(decide)


def test_each_request_gets_its_own_reply_in_its_place():
    with ChatServer(echo()) as server, adapter(server, concurrency=8) as vlm:
        replies = vlm.generate(requests(60), SCHEMA)
    assert [json.loads(r.text)["said"] for r in replies] == [f"question {i}." for i in range(60)]


def test_no_request_is_no_call():
    with ChatServer(echo()) as server, adapter(server) as vlm:
        assert vlm.generate([], SCHEMA) == []
        assert server.asked == []


@pytest.mark.parametrize("threads", [1, 3])
def test_no_more_requests_than_places_are_in_flight_whoever_calls(threads):
    with ChatServer(echo(wait_s=0.02)) as server, adapter(server, concurrency=5) as vlm:
        got = []
        calls = [
            threading.Thread(target=lambda: got.append(vlm.generate(requests(20), SCHEMA))) for _ in range(threads)
        ]
        for call in calls:
            call.start()
        for call in calls:
            call.join()
        assert server.most == 5
    assert [len(replies) for replies in got] == [20] * threads


def test_replies_are_handed_over_as_they_arrive():
    first = threading.Event()

    def decide(asked):
        if prompt_of(asked) != "question 0.":
            return chat("{}")

        async def when_told(wire):
            while not first.is_set():
                await asyncio.sleep(0.01)
            await chat("late")(wire)

        return when_told

    with ChatServer(small_ones_well(decide)) as server, adapter(server) as vlm:
        replies = vlm.stream(requests(4), SCHEMA)
        assert {next(replies)[0] for _ in range(3)} == {1, 2, 3}
        first.set()
        assert [(i, reply.text) for i, reply in replies] == [(0, "late")]


def test_a_place_is_free_only_when_its_reply_has_been_taken():
    with ChatServer(echo()) as server, adapter(server, concurrency=3) as vlm:
        replies = vlm.stream(requests(12), SCHEMA)
        next(replies)
        time.sleep(0.3)
        # Three places, and the one reply that was taken made room for one more.
        assert len(rows_asked(server)) == 4
        assert len(list(replies)) == 11


def test_a_stream_that_is_closed_drops_what_it_asked_and_leaves_the_places_to_others():
    with ChatServer(echo()) as server, adapter(server, concurrency=2) as vlm:
        replies = vlm.stream(requests(30), SCHEMA)
        next(replies)
        replies.close()
        assert len(vlm.generate(requests(5), SCHEMA)) == 5
        assert len(rows_asked(server)) < 12


def test_what_no_reply_depends_on_is_no_part_of_the_name():
    one = settings("http://a/v1")
    moved = settings("http://b/v1", concurrency=3, timeout_s=1, max_attempts=9, api_key_env="KEY")
    assert fingerprint(one) == fingerprint(moved.model_copy(update={"batch_size": 3, "threads": 4}))


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"temperature": 0.1},
        {"max_output_tokens": 10},
        {"server": ServerSettings(json_mode="prompt")},
        {"server": ServerSettings(extra_body={"top_k": 3})},
        {"server": ServerSettings(video="video_url")},
    ],
)
def test_what_replies_depend_on_is_part_of_the_name(change):
    one = settings("http://a/v1", json_mode="auto")
    assert fingerprint(one) != fingerprint(one.model_copy(update=change))


def test_equal_settings_load_one_adapter():
    ref, again = (ModelRef("vlm", settings("http://127.0.0.1:1/v1", extra_body={"top_k": 3})) for _ in range(2))
    vlm = load(ref)
    assert isinstance(vlm, OpenAiVlm)
    assert load(again) is vlm
    vlm.close()
    load.cache_clear()
