"""The ladder, against servers that know some of its rungs."""

import pytest

from pipeline.errors import ModelError
from tests.models.chat_server import ChatServer, chat, error, prompt_of
from tests.models.openai.asking import SCHEMA, adapter, is_small, request, requests, rows_asked

FIELDS = {"json_schema", "json_schema_bare", "guided_json", "json_object"}


def way(asked):
    """Which rung a request stands on."""
    wanted = asked.body.get("response_format", {})
    if "guided_json" in asked.body:
        return "guided_json"
    if wanted.get("type") == "json_schema":
        return "json_schema" if "maxLength" in str(wanted) else "json_schema_bare"
    return wanted.get("type", "prompt")


def knowing(*known, ignoring=()):
    """A server that heeds some ways, ignores others and refuses the rest."""

    def decide(asked):
        name = way(asked)
        if name in known or name == "prompt":
            return chat('{"said": "hel' if name in FIELDS else "Hello!", "length" if is_small(asked) else "stop")
        return chat("Hello!") if name in ignoring else error(400, f"{name} is not supported")

    return decide


@pytest.mark.parametrize(
    ("known", "ignoring", "tried"),
    [
        (["json_schema", "guided_json", "json_object"], [], ["json_schema"]),
        (["guided_json", "json_object"], [], ["json_schema", "guided_json"]),
        (["json_schema_bare", "json_object"], [], ["json_schema", "guided_json", "json_schema_bare"]),
        (["json_object"], [], ["json_schema", "guided_json", "json_schema_bare", "json_object"]),
        ([], [], ["json_schema", "guided_json", "json_schema_bare", "json_object", "prompt"]),
        # What a server takes and does not heed is no way either.
        (
            ["json_object"],
            ["guided_json", "json_schema", "json_schema_bare"],
            ["json_schema", "guided_json", "json_schema_bare", "json_object"],
        ),
    ],
)
def test_the_first_way_that_the_server_heeds_is_taken_and_remembered(known, ignoring, tried, caplog):
    with ChatServer(knowing(*known, ignoring=ignoring)) as server, adapter(server, json_mode="auto") as vlm:
        vlm.generate(requests(3), SCHEMA)
        vlm.generate(requests(2), SCHEMA)
        assert [way(asked) for asked in server.asked if is_small(asked)] == tried
        assert {way(asked) for asked in server.asked if not is_small(asked)} == {tried[-1]}
        assert len(rows_asked(server)) == 5
    assert [record.levelname for record in caplog.records] == ["WARNING"] * (len(tried) > 1)


def test_each_schema_is_asked_for_once():
    other = {**SCHEMA, "title": "Other"}
    with ChatServer(knowing("json_schema")) as server, adapter(server, json_mode="auto") as vlm:
        for schema in (SCHEMA, other, SCHEMA, other):
            vlm.generate(requests(1), schema)
        small = [asked for asked in server.asked if is_small(asked)]
    assert [asked.body["response_format"]["json_schema"]["schema"] for asked in small] == [SCHEMA, other]
    assert [asked.body["max_tokens"] for asked in small] == [16, 16]
    assert [part["type"] for part in small[0].body["messages"][0]["content"]] == ["text", "image_url"]


def test_a_model_that_thinks_before_it_answers_has_not_ignored_the_schema():
    with ChatServer(lambda asked: chat(None, "length")) as server, adapter(server, json_mode="auto") as vlm:
        vlm.generate(requests(1), SCHEMA)
        assert {way(asked) for asked in server.asked} == {"json_schema"}


def test_a_refusal_of_one_request_moves_nothing():
    def decide(asked):
        bad = prompt_of(asked) == "question 1."
        return error(400, "response_format json_schema is not supported") if bad else chat("{")

    with ChatServer(decide) as server, adapter(server, json_mode="auto") as vlm:
        ends = [r.finish_reason for r in vlm.generate(requests(4), SCHEMA)]
        assert {way(asked) for asked in server.asked} == {"json_schema"}
    assert ends == ["stop", "error", "stop", "stop"]


def test_a_broken_moment_moves_nothing():
    answers = [error(500), error(503)]
    decide = lambda asked: answers.pop() if answers else chat("{")  # noqa: E731
    with ChatServer(decide) as server, adapter(server, json_mode="auto") as vlm:
        vlm.generate(requests(1), SCHEMA)
        assert {way(asked) for asked in server.asked} == {"json_schema"}


def test_a_way_that_is_set_is_the_only_one_tried():
    with ChatServer(knowing("json_object")) as server, adapter(server, json_mode="guided_json") as vlm:
        with pytest.raises(ModelError, match=r"refuses even a short request \(guided_json: HTTP 400"):
            vlm.generate(requests(3), SCHEMA)
        assert [way(asked) for asked in server.asked] == ["guided_json"]


def test_a_way_that_is_set_is_taken_even_where_it_seems_to_be_ignored():
    with (
        ChatServer(knowing(ignoring=["json_schema"])) as server,
        adapter(server, json_mode="json_schema") as vlm,
    ):
        assert [r.text for r in vlm.generate(requests(1), SCHEMA)] == ["Hello!"]


def test_a_server_that_takes_no_way_stops_the_run_before_a_row_is_spent():
    with (
        ChatServer(lambda asked: error(400, "temperature is not supported")) as server,
        adapter(server, json_mode="auto") as vlm,
    ):
        with pytest.raises(ModelError, match=r"prompt: HTTP 400: temperature is not supported.*vlm.server.omit"):
            vlm.generate([request("a")], SCHEMA)
        assert rows_asked(server) == []


def test_a_server_that_breaks_over_a_way_is_not_taken_for_one_that_lacks_it():
    with (
        ChatServer(lambda asked: error(500, "grammar")) as server,
        adapter(server, json_mode="auto") as vlm,
        pytest.raises(ModelError, match=r"fails a short request with json_schema \(HTTP 500: grammar.*json_mode"),
    ):
        vlm.generate([request("a")], SCHEMA)
