"""From what a VLM wrote to a typed response, the same for every room: one strict parser, one set of rejects."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import ModelError
from pipeline.models.protocols import Reply, Request, StreamingVlm, Usage, Vlm

SHOWN_CHARS = 200  # of a reply that is rejected
MAX_CHARS_A_WORD = 12  # maxLength of a description, by its words: constrained decoding must end somewhere
Refusal = tuple[str, str]  # reason, detail
# What `parse` may refuse; the rooms' own reasons come on top.
REFUSALS = {
    "empty_reply": "the model answered nothing",
    "malformed_reply": "the reply is not one JSON object",
    "schema_violation": "the reply lacks a key, or has one too many or of the wrong kind",
    "reply_truncated": "the reply was cut off before its end",
    "refused": "the server's content filter held the reply back",
    "request_failed": "the server cannot answer this request",
}
# The adapter has tried these as often as makes sense.
_FINAL = {"request_failed"}


class Answer(BaseModel):
    """Base of what a VLM fills in, keys in order: gives the JSON schema of a request and the parser of its reply."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, str_strip_whitespace=True)


A = TypeVar("A", bound=Answer)


@dataclass(frozen=True)
class Answered(Generic[A]):
    """What became of a request, and what all attempts at it cost."""

    answer: A | Refusal
    usage: Usage


def answers(
    vlm: Vlm, requests: Sequence[Request], schema: dict[str, Any], read: Callable[[Reply], A | Refusal]
) -> list[Answered[A]]:
    """What became of each request, in order. A reply that `read` refuses is asked for once more, with another seed."""
    replies = ask(vlm, requests, schema)
    result = [Answered(read(reply), reply.usage) for reply in replies]
    again = [i for i, r in enumerate(result) if isinstance(r.answer, tuple) and r.answer[0] not in _FINAL]
    second = ask(vlm, [replace(requests[i], seed=requests[i].seed + 1) for i in again], schema)
    for i, reply in zip(again, second, strict=True):
        result[i] = Answered(read(reply), result[i].usage + reply.usage)
    return result


def ask(vlm: Vlm, requests: Sequence[Request], schema: dict[str, Any]) -> list[Reply]:
    """One reply a request, in order; no call without requests. Raises ModelError when the VLM loses or invents one."""
    if not requests:
        return []
    replies = vlm.generate(requests, schema)
    if len(replies) != len(requests):
        raise ModelError(f"the VLM gave {len(replies)} replies to {len(requests)} requests")
    return replies


def arriving(vlm: Vlm, requests: Sequence[Request], schema: dict[str, Any]) -> Generator[tuple[int, Reply], None, None]:
    """Yield (position in `requests`, its reply), each position once: as they arrive where the VLM hands them over
    one by one, else when all have. No call without requests. Raises ModelError when the VLM loses or invents one."""
    if not isinstance(vlm, StreamingVlm):
        yield from enumerate(ask(vlm, requests, schema))
        return
    if not requests:
        return
    waiting = set(range(len(requests)))
    for i, reply in vlm.stream(requests, schema):
        if i not in waiting:
            raise ModelError(f"the VLM replied to request {i} of {len(requests)}, which was not waiting for a reply")
        waiting.remove(i)
        yield i, reply
    if waiting:
        raise ModelError(f"the VLM gave {len(requests) - len(waiting)} replies to {len(requests)} requests")


def parse(reply: Reply, answer: type[A]) -> A | Refusal:
    """Read one JSON object that fits `answer` exactly, or say why the reply is none.

    Reasons: `request_failed`, `refused`, `reply_truncated` (it stopped for its length), `empty_reply`,
    `malformed_reply` (no reply, no JSON, or a key twice), `schema_violation` (keys, types, lengths, ranges).
    """
    shown = reply.text[:SHOWN_CHARS]
    if reply.finish_reason == "error":
        return "request_failed", shown
    if reply.finish_reason == "content_filter":
        return "refused", shown
    if reply.finish_reason == "garbled":
        return "malformed_reply", f"the server's answer holds no reply: {shown}"
    if reply.finish_reason == "length":
        return "reply_truncated", f"after {len(reply.text)} characters: {shown}"
    if not reply.text.strip():
        return "empty_reply", f"finish_reason {reply.finish_reason}"
    try:
        json.loads(reply.text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return "malformed_reply", f"{error}: {shown}"
    try:
        return answer.model_validate_json(reply.text)
    except ValidationError as error:
        first = error.errors()[0]
        return "schema_violation", f"{'.'.join(map(str, first['loc'])) or 'reply'}: {first['msg']}: {shown}"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
