"""Attempts, waiting and giving up, on real sockets."""

import gzip
import json
import socket

import pytest

from pipeline.errors import ModelError
from pipeline.models.openai.vlm import OpenAiVlm
from pipeline.models.protocols import Reply, Usage
from tests.models.chat_server import ChatServer, chat, cut, drip, error, http, prompt_of, stall
from tests.models.openai.asking import SCHEMA, adapter, request, requests, rows_asked, settings, small_ones_well

WELL = Reply('{"said": "x"}', "stop", Usage(requests=1, input_tokens=100, output_tokens=10))


def in_turn(*answers):
    """One after the other to requests that are no small ones; the last again and again."""
    left = list(answers)
    return small_ones_well(lambda asked: left.pop(0) if len(left) > 1 else left[0])


@pytest.mark.parametrize(
    "fault",
    [
        error(500),
        error(503),
        error(408),
        http(b"<html>bad gateway</html>", 502),
        cut(),
        cut(b"HTTP/1.1 200 Said\r\nContent-Length: 50\r\n\r\n{"),
        error(429),
        error(599, "not a status"),
    ],
    ids=["500", "503", "408", "502", "reset", "reset in the body", "429", "599"],
)
def test_what_may_pass_is_tried_again(fault):
    with ChatServer(in_turn(fault, fault, chat('{"said": "x"}'))) as server, adapter(server) as vlm:
        assert vlm.generate([request("a")], SCHEMA) == [WELL]
        assert rows_asked(server) == ["a"] * 3


@pytest.mark.parametrize("slow", [stall, drip], ids=["silence", "a drop now and then"])
def test_a_reply_that_takes_too_long_is_given_up_and_asked_for_again(slow):
    with ChatServer(in_turn(slow, chat('{"said": "x"}'))) as server, adapter(server, timeout_s=0.3) as vlm:
        assert vlm.generate([request("a")], SCHEMA) == [WELL]
        assert rows_asked(server) == ["a"] * 2


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        (error(500, "engine died"), "HTTP 500: engine died, in the last of 3 attempts"),
        (cut(), "in the last of 3 attempts"),
        (stall, "no whole reply within 0.3 s, in the last of 3 attempts"),
    ],
    ids=["500", "reset", "stall"],
)
def test_a_request_that_fails_every_time_fails_alone(fault, detail):
    decide = small_ones_well(lambda asked: fault if prompt_of(asked) == "question 1." else chat('{"said": "x"}'))
    with ChatServer(decide) as server, adapter(server, timeout_s=0.3) as vlm:
        replies = vlm.generate(requests(4), SCHEMA)
    assert [r.finish_reason for r in replies] == ["stop", "error", "stop", "stop"]
    assert detail in replies[1].text


@pytest.mark.parametrize(("status", "code", "end"), [(400, None, "error"), (413, None, "error"), (422, None, "error")])
def test_a_request_that_is_refused_is_asked_once_and_concerns_no_other(status, code, end):
    decide = small_ones_well(
        lambda a: error(status, "bad picture", code) if prompt_of(a) == "question 0." else chat("{}")
    )
    with ChatServer(decide) as server, adapter(server) as vlm:
        replies = vlm.generate(requests(3), SCHEMA)
        assert replies[0] == Reply(f"HTTP {status}: bad picture", "error")
        assert [r.finish_reason for r in replies[1:]] == ["stop", "stop"]
        assert len(rows_asked(server)) == 3


def test_a_request_refused_for_what_it_shows_is_told_from_other_errors():
    with ChatServer(in_turn(error(400, "filtered", "content_filter"))) as server, adapter(server) as vlm:
        assert vlm.generate([request("a")], SCHEMA)[0].finish_reason == "content_filter"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for_by_all_requests(status):
    with (
        ChatServer(in_turn(error(status, Retry_After="0.4"), chat("{}"))) as server,
        adapter(server, concurrency=1) as vlm,
    ):
        vlm.generate(requests(2), SCHEMA)
        first, again, other = server.asked[1:]
    assert again.at - first.at >= 0.4
    assert other.at >= again.at


def test_a_busy_server_costs_time_and_no_attempts():
    busy = [error(429, Retry_After="0.01")] * 20
    with ChatServer(in_turn(*busy, chat("{}"))) as server, adapter(server, max_attempts=1) as vlm:
        assert vlm.generate([request("a")], SCHEMA)[0].finish_reason == "stop"
        assert len(rows_asked(server)) == 21


def test_a_server_that_stays_busy_stops_the_run_and_names_the_setting():
    with (
        ChatServer(in_turn(error(429, "slow down", Retry_After="3600"))) as server,
        adapter(server, max_wait_s=60) as vlm,
        pytest.raises(
            ModelError, match=r"too busy: HTTP 429: slow down.*3600 s more.*max_wait_s allows 60.*concurrency"
        ),
    ):
        vlm.generate([request("a")], SCHEMA)


def test_a_server_that_asks_for_a_day_is_not_waited_for():
    with (
        ChatServer(in_turn(error(500, Retry_After="86400"))) as server,
        adapter(server) as vlm,
        pytest.raises(ModelError, match="86400 s more"),
    ):
        vlm.generate([request("a")], SCHEMA)


def test_nobody_listening_stops_the_run_with_the_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    vlm = OpenAiVlm(settings(f"http://127.0.0.1:{port}/v1"))
    with pytest.raises(ModelError, match=rf"http://127.0.0.1:{port}/v1 cannot be reached \(.*base_url.*run the same"):
        vlm.generate([request("a")], SCHEMA)
    vlm.close()


def test_a_server_that_goes_away_stops_the_run_and_no_row_is_blamed():
    with ChatServer(lambda asked: chat("{}")) as server, adapter(server) as vlm:
        replies = vlm.stream(requests(3), SCHEMA)
        next(replies)
        list(replies)
        server.close()
        with pytest.raises(ModelError, match="cannot be reached"):
            vlm.generate(requests(3), SCHEMA)


def test_failures_in_a_row_stop_the_run():
    with (
        ChatServer(in_turn(error(500, "engine died"))) as server,
        adapter(server, max_failures_in_row=4, max_attempts=1, concurrency=1) as vlm,
        pytest.raises(ModelError, match=r"failed 4 requests in a row, the last with HTTP 500: engine died"),
    ):
        vlm.generate(requests(50), SCHEMA)
    assert len(rows_asked(server)) == 4


def test_failures_between_successes_do_not():
    decide = small_ones_well(lambda a: chat("{}") if int(prompt_of(a)[9:-1]) % 3 == 0 else error(500))
    with (
        ChatServer(decide) as server,
        adapter(server, max_failures_in_row=3, max_attempts=1, concurrency=1) as vlm,
    ):
        ends = [r.finish_reason for r in vlm.generate(requests(30), SCHEMA)]
    assert ends == ["stop", "error", "error"] * 10


def test_a_batch_that_ends_in_failures_is_only_blamed_for_them_while_the_server_answers_others():
    gone = []

    def decide(asked):
        if prompt_of(asked) == "question 2.":
            gone.append(asked)
        return error(500) if gone else chat("{}")

    with (
        ChatServer(decide) as server,
        adapter(server, max_attempts=1, concurrency=1) as vlm,
        pytest.raises(ModelError, match="fails even a short request"),
    ):
        vlm.generate(requests(3), SCHEMA)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error(401, "no key"), r"wants a key \(HTTP 401: no key\). Set vlm.server.api_key_env"),
        (error(402, "pay first"), r"answers nothing more \(HTTP 402: pay first\)"),
        (error(404, "no such model"), r"has no model 'served' \(HTTP 404.*It has served, other: set vlm.model"),
        (error(429, "pay first", "insufficient_quota"), r"answers nothing more \(HTTP 429: pay first\)"),
        (http(b"", 308, Location="https://elsewhere/v1"), r"HTTP 308: without a word \(it points to https://elsewhere"),
    ],
    ids=["key", "bill", "model", "quota", "moved"],
)
def test_what_concerns_every_request_stops_the_run_at_once_with_what_to_do(answer, message):
    with ChatServer(lambda asked: answer) as server, adapter(server) as vlm:
        with pytest.raises(ModelError, match=message):
            vlm.generate(requests(5), SCHEMA)
        assert len(server.asked) == 1


def test_the_key_comes_from_the_environment_and_stands_nowhere_else(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret\n")
    told = error(401, "Incorrect API key provided: sk-secret")
    with ChatServer(lambda asked: told) as server, adapter(server, api_key_env="MY_KEY") as vlm:
        with pytest.raises(ModelError, match=r"refuses the key in MY_KEY .*provided: \*\*\*") as stopped:
            vlm.generate([request("a")], SCHEMA)
        assert server.asked[0].headers["authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in str(stopped.value)
    assert "sk-secret" not in settings("http://x/v1", api_key_env="MY_KEY").model_dump_json()


def test_another_programs_key_is_not_sent(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    with ChatServer(lambda asked: chat("{}")) as server, adapter(server) as vlm:
        vlm.generate([request("a")], SCHEMA)
    assert all("sk-of" not in json.dumps(asked.headers) for asked in server.asked)


@pytest.mark.parametrize("value", [None, "  ", "naïve"])
def test_a_key_that_is_not_there_is_an_error_before_the_first_request(monkeypatch, value):
    monkeypatch.delenv("MY_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(ModelError, match="MY_KEY"):
        OpenAiVlm(settings("http://127.0.0.1:1/v1", api_key_env="MY_KEY"))


def test_of_a_huge_response_only_so_much_is_read():
    huge = json.dumps({"choices": [{"message": {"content": "x" * 5_000_000}}]}).encode()
    with (
        ChatServer(in_turn(http(huge), chat('{"said": "x"}'))) as server,
        adapter(server, max_reply_bytes=10_000) as vlm,
    ):
        cut_off, next_one = vlm.generate(requests(1), SCHEMA) + vlm.generate(requests(1), SCHEMA)
    assert cut_off.finish_reason == "garbled"
    assert cut_off.text.startswith('it is longer than 10000 bytes: {"choices"')
    assert len(cut_off.text) < 1100
    assert next_one == WELL


def test_of_a_huge_error_only_so_much_is_read():
    huge = error(400, "x" * 5_000_000)
    with ChatServer(in_turn(huge)) as server, adapter(server, max_reply_bytes=10_000) as vlm:
        (reply,) = vlm.generate(requests(1), SCHEMA)
    assert reply.finish_reason == "error"
    assert len(reply.text) < 400


def test_a_packed_response_is_not_unpacked():
    bomb = gzip.compress(b" " * 50_000_000)
    with (
        ChatServer(in_turn(http(bomb, Content_Encoding="gzip"))) as server,
        adapter(server) as vlm,
    ):
        (reply,) = vlm.generate(requests(1), SCHEMA)
    assert reply.finish_reason == "garbled"
