"""What every Vlm adapter promises. A new adapter joins by a line in ADAPTERS."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from pipeline.config import ServerSettings, VlmSettings
from pipeline.models.fake import FakeVlm
from pipeline.models.openai.vlm import OpenAiVlm
from pipeline.models.protocols import Pixels, Request, Vlm
from tests.models.chat_server import Asked, ChatServer, chat, prompt_of
from tests.models.pictures import gradient, pixels, plain


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    said: str = Field(min_length=1, max_length=80)
    sure: float = Field(ge=0, le=1)


SCHEMA = Answer.model_json_schema()
IMAGE, VIDEO = pixels(gradient()), pixels(plain(255, 0, 0), plain(0, 255, 0), video=True)


@contextmanager
def _fake(_: str) -> Iterator[Vlm]:
    yield FakeVlm()


def _served(asked: Asked) -> Any:
    """A server that fills the schema it is sent."""
    schema = asked.body["response_format"]["json_schema"]["schema"]
    (reply,) = FakeVlm().generate([Request(prompt_of(asked), (), ())], schema)
    return chat(reply.text)


@contextmanager
def _openai(model: str) -> Iterator[Vlm]:
    with ChatServer(_served) as server:
        settings = VlmSettings(
            adapter="openai", base_url=server.url, model=model, server=ServerSettings(json_mode="json_schema")
        )
        vlm = OpenAiVlm(settings)
        try:
            yield vlm
        finally:
            vlm.close()


ADAPTERS: dict[str, Callable[[str], AbstractContextManager[Vlm]]] = {"fake": _fake, "openai": _openai}


@pytest.fixture(params=list(ADAPTERS))
def vlm(request: pytest.FixtureRequest) -> Iterator[Vlm]:
    with ADAPTERS[request.param]("one") as loaded:
        yield loaded


def asked(i: int, *media: Pixels) -> Request:
    return Request(f"What is number {i}?", media, ("a",), seed=3)


def test_one_reply_a_request_in_order_each_valid_against_the_schema(vlm: Vlm) -> None:
    requests = [asked(0, IMAGE), asked(1, VIDEO), asked(2), asked(3, VIDEO, VIDEO), asked(0, IMAGE)]
    replies = vlm.generate(requests, SCHEMA)
    answers = [Answer.model_validate_json(reply.text) for reply in replies]
    assert {reply.finish_reason for reply in replies} == {"stop"}
    assert answers[0] == answers[4]
    assert len({answer.said for answer in answers}) == 4
    # Alone, each gets what it got among others.
    assert [vlm.generate([one], SCHEMA)[0].text for one in requests] == [reply.text for reply in replies]


def test_each_reply_counts_as_a_request_that_no_cache_answered(vlm: Vlm) -> None:
    assert [(r.usage.requests, r.usage.cached) for r in vlm.generate([asked(0), asked(1)], SCHEMA)] == [(1, 0)] * 2


def test_no_request_gives_no_reply(vlm: Vlm) -> None:
    assert vlm.generate([], SCHEMA) == []


def test_several_threads_may_ask_at_once(vlm: Vlm) -> None:
    alone = vlm.generate([asked(i) for i in range(12)], SCHEMA)
    got: dict[int, list[str]] = {}

    def ask(first: int) -> None:
        got[first] = [r.text for r in vlm.generate([asked(i) for i in range(first, first + 4)], SCHEMA)]

    threads = [threading.Thread(target=ask, args=(first,)) for first in (0, 4, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [text for first in (0, 4, 8) for text in got[first]] == [reply.text for reply in alone]


@pytest.mark.parametrize("name", list(ADAPTERS))
def test_the_fingerprint_is_the_same_each_time_and_can_be_written_down(name: str) -> None:
    with ADAPTERS[name]("one") as one, ADAPTERS[name]("one") as again:
        assert one.fingerprint == again.fingerprint
        assert json.loads(json.dumps(one.fingerprint)) == one.fingerprint


def test_another_model_has_another_fingerprint() -> None:
    with _openai("one") as one, _openai("two") as two:
        assert one.fingerprint != two.fingerprint
