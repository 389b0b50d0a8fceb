"""A server that does everything wrong that a server can do, each thing at random but always the same.

What it answers to a row depends on the file that the prompt names and on the seed: first a few faults that
pass, then its last word. `outcome` says what must become of the row, from the table of last words alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.models.chat_server import Answer, Asked, chat, cut, drip, error, http, prompt_of, stall

FIRST_SEED = 7
MAX_ATTEMPTS = 5
GOOD, DEAD = "good", "dead"
_FILE = re.compile(r'"file": "([^"]+)"')
_HUGE = 5_000_000

# The last word, and the reason of a row that hears it twice, for two seeds. None: the row is kept.
# `request_failed` is not asked for again.
LAST_WORDS: dict[str, str | None] = {
    GOOD: None,
    "several choices": None,
    "odd cost": None,
    "truncated": "malformed_reply",
    "fenced": "malformed_reply",
    "prose": "malformed_reply",
    "key twice": "malformed_reply",
    "raw control character": "malformed_reply",
    "invalid UTF-8": "malformed_reply",
    "no JSON body": "malformed_reply",
    "no choices": "malformed_reply",
    "error with status 200": "malformed_reply",
    "body cut off": "malformed_reply",
    "5 MB": "malformed_reply",
    "extra key": "schema_violation",
    "missing key": "schema_violation",
    "wrong type": "schema_violation",
    "unknown task type": "schema_violation",
    "a list": "schema_violation",
    "too long a string": "schema_violation",
    "empty": "empty_reply",
    "null": "empty_reply",
    "length": "reply_truncated",
    "refusal": "refused",
    "content filter": "refused",
    "filtered request": "refused",
    "bad request": "request_failed",
    "too large": "request_failed",
    DEAD: "request_failed",
}
_SHARE_OF_GOOD = 0.5
_FAULTS: tuple[Answer, ...] = (
    error(500, "engine died"),
    http(b"<html>bad gateway</html>", 502),
    error(503, "loading"),
    error(503, "overloaded", Retry_After="0.02"),
    error(429, "slow down"),
    error(429, "slow down", Retry_After="0.02"),
    cut(),
    cut(b"HTTP/1.1 200 Said\r\nContent-Length: 500\r\n\r\n{"),
)
_SHARE_OF_FAULTS = 0.25  # of attempts
_SHARE_OF_STALLS = 0.002


def chance(*parts: object) -> float:
    """A number in 0..1 from a hash: no state, the same in every run."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") / 2**64


def last_word(name: str, seed: int) -> str:
    """What the server says to a row in the end."""
    if chance("good", name, seed) < _SHARE_OF_GOOD:
        return GOOD
    others = list(LAST_WORDS)
    return others[int(chance("word", name, seed) * len(others))]


def outcome(name: str) -> str | None:
    """What becomes of a row: the reason of its reject, None when it is kept."""
    first = LAST_WORDS[last_word(name, FIRST_SEED)]
    return first if first in (None, "request_failed") else LAST_WORDS[last_word(name, FIRST_SEED + 1)]


def response(name: str) -> dict[str, Any]:
    """The right answer to an image_qa row, which names the row."""
    return {
        "description": f"A cup and the words {name}.",
        "task_type": "Factoid Identification",
        "question": f"What stands beside the words {name}?",
        "positive_answer": f"A cup, beside {name}",
        "hard_negative_answer": "A vase",
    }


_HUGE_ANSWER = chat("x" * _HUGE)


def _completion(choices: object, usage: object = None) -> Answer:
    return http(json.dumps({"object": "chat.completion", "choices": choices, "usage": usage}).encode())


def said(name: str, word: str) -> Answer:
    """The answer that is a last word."""
    right = response(name)
    text = json.dumps(right)
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    other = {**choice, "index": 1, "message": {"content": json.dumps(response("another"))}}
    broken_bytes = json.dumps({"choices": [choice]}).encode().replace(b"A vase", b"A vase \xff\xfe")
    return {
        GOOD: chat(text),
        "several choices": _completion([choice, other]),
        "odd cost": _completion([choice], {"prompt_tokens": -3, "completion_tokens": "many"}),
        "truncated": chat(text[: len(text) // 2]),
        "fenced": chat(f"```json\n{text}\n```"),
        "prose": chat(f"Here is the JSON: {text}"),
        "key twice": chat(f'{{"task_type": "Visual Reasoning", {text[1:]}'),
        "raw control character": chat(text.replace("A vase", "A\nvase")),
        "invalid UTF-8": http(broken_bytes),
        "no JSON body": http(b"<html>It works!</html>"),
        "no choices": _completion([]),
        "error with status 200": http(b'{"error": {"message": "upstream died", "code": 502}}'),
        "body cut off": http(json.dumps({"choices": [choice]}).encode()[:-20]),
        "extra key": chat(json.dumps({**right, "note": "x"})),
        "missing key": chat(json.dumps({k: v for k, v in right.items() if k != "question"})),
        "wrong type": chat(json.dumps({**right, "question": 3})),
        "unknown task type": chat(json.dumps({**right, "task_type": "Factoid"})),
        "a list": chat(f"[{text}]"),
        "too long a string": chat(json.dumps({**right, "question": "x" * 501})),
        "empty": chat(" \n"),
        "null": chat(None),
        "5 MB": _HUGE_ANSWER,
        "length": chat(text[:-1], "length"),
        "refusal": chat(None, "stop", refusal="I cannot look at this."),
        "content filter": chat("", "content_filter"),
        "filtered request": error(400, "the prompt was filtered", "content_filter"),
        "bad request": error(400, "cannot identify image file"),
        "too large": error(413, "too many tokens"),
        DEAD: error(500, "engine died"),
    }[word]


@dataclass
class Hostile:
    """Decides what a ChatServer answers, and remembers how often each row was asked.

    ended: last words said, by file and seed.
    """

    attempts: Counter[tuple[str, int]] = field(default_factory=Counter)
    ended: Counter[tuple[str, int]] = field(default_factory=Counter)

    def __call__(self, asked: Asked) -> Answer:
        found = _FILE.search(prompt_of(asked))
        if found is None:  # a small request
            return chat("{")
        name, seed = found[1], int(asked.body["seed"])
        self.attempts[name, seed] += 1
        attempt = self.attempts[name, seed]
        word = last_word(name, seed)
        # So few faults that no request meets as many as there are attempts, unless it is to.
        if word != DEAD and attempt < MAX_ATTEMPTS - 1:
            if chance("stall", name, seed, attempt) < _SHARE_OF_STALLS:
                return stall if chance("drip", name, seed, attempt) < 0.5 else drip
            if (luck := chance("fault", name, seed, attempt)) < _SHARE_OF_FAULTS:
                return _FAULTS[int(luck / _SHARE_OF_FAULTS * len(_FAULTS))]
        self.ended[name, seed] += word != DEAD
        return said(name, word)
