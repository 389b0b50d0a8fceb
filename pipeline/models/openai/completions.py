"""From a response's body to a Reply. Whatever a server sends becomes one, within bounds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from pipeline.models.openai.formats import unfenced
from pipeline.models.protocols import Reply, Usage

_SHOWN_BYTES = 1000
_ENDS = frozenset({"length", "content_filter"})  # the rest says that the model has ended, in the words of its server
_Tokens = Annotated[int, Field(ge=0, lt=2**40)]


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: Any = None


class _Tally(BaseModel):
    prompt_tokens: _Tokens = 0
    completion_tokens: _Tokens = 0


def reply_of(data: bytes, max_bytes: int, in_prompt: bool) -> Reply:
    """The first choice of a chat completion.

    in_prompt: nothing but the prompt asked for JSON; then a code fence around the whole of a reply is no part of it.
    What is longer than `max_bytes`, or no chat completion in UTF-8, is `garbled`.
    """
    shown = data[:_SHOWN_BYTES].decode("utf-8", "replace")
    if len(data) > max_bytes:
        return Reply(f"it is longer than {max_bytes} bytes: {shown}", "garbled")
    try:
        completion = _Completion.model_validate_json(data)
    except ValidationError:
        return Reply(shown, "garbled")
    usage = usage_of(completion.usage)
    choice = completion.choices[0]
    if choice.message.refusal:
        return Reply(choice.message.refusal, "content_filter", usage)
    text = choice.message.content or ""
    end = choice.finish_reason if choice.finish_reason in _ENDS else "stop"
    return Reply(unfenced(text) if in_prompt else text, end, usage)


def usage_of(said: Any) -> Usage:
    """What a server says that a reply has cost; nothing where it does not say it in whole numbers."""
    try:
        tally = _Tally.model_validate(said)
    except ValidationError:
        return Usage(requests=1)
    return Usage(requests=1, input_tokens=tally.prompt_tokens, output_tokens=tally.completion_tokens)
