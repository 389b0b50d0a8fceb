"""Settings and requests for tests of the adapter, and adapters that are closed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.config import ServerSettings, VlmSettings
from pipeline.models.openai.negotiation import QUESTION
from pipeline.models.openai.vlm import OpenAiVlm
from pipeline.models.protocols import Request
from tests.models.chat_server import Asked, ChatServer, Decide, chat, prompt_of
from tests.models.pictures import gradient, pixels

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"said": {"type": "string", "maxLength": 20}},
    "required": ["said"],
    "additionalProperties": False,
}


def settings(url: str, **server: Any) -> VlmSettings:
    """Settings of an impatient client that asks by json_schema and nothing else."""
    given = {"json_mode": "json_schema", "retry_wait_s": 0.01, "timeout_s": 5.0, "max_attempts": 3, **server}
    return VlmSettings(adapter="openai", base_url=url, model="served", server=ServerSettings(**given))


def request(prompt: str, seed: int = 7) -> Request:
    return Request(prompt, (pixels(gradient()),), (prompt,), seed)


def requests(count: int) -> list[Request]:
    return [request(f"question {i}.") for i in range(count)]


@contextmanager
def adapter(server: ChatServer, **changes: Any) -> Iterator[OpenAiVlm]:
    vlm = OpenAiVlm(settings(server.url, **changes))
    try:
        yield vlm
    finally:
        vlm.close()


def is_small(asked: Asked) -> bool:
    """Whether it is one of the small requests that a run begins with."""
    return QUESTION.strip() in prompt_of(asked)


def small_ones_well(decide: Decide) -> Decide:
    """Small requests are answered well, all others by `decide`."""
    return lambda asked: chat("{}") if is_small(asked) else decide(asked)


def rows_asked(server: ChatServer) -> list[str]:
    """The prompts of the requests that were no small ones, in order."""
    return [prompt_of(asked) for asked in server.asked if not is_small(asked)]
