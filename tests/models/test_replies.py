"""One strict parser for all replies: what fits is a response, what does not is a reject with its beginning."""

import json
from typing import Literal

import pytest
from pydantic import Field

from pipeline.errors import ModelError
from pipeline.models.protocols import Reply, Request, Usage
from pipeline.models.replies import REFUSALS, Answer, answers, ask, parse


class Cup(Answer):
    description: str = Field(min_length=1, max_length=6000)
    task_type: Literal["Factoid Identification"]
    question: str = Field(min_length=1, max_length=500)
    positive_answer: str


GOOD = {
    "description": "A red cup.",
    "task_type": "Factoid Identification",
    "question": "What stands there?",
    "positive_answer": "A cup",
}


def reply(text, finish_reason="stop"):
    return parse(Reply(text, finish_reason), Cup)


def test_reply_that_fits_the_schema_is_a_response():
    response = reply(json.dumps(GOOD))
    assert response.model_dump() == GOOD


@pytest.mark.parametrize(
    ("text", "finish_reason", "reason"),
    [
        (json.dumps(GOOD), "length", "reply_truncated"),
        (" \n", "stop", "empty_reply"),
        ("I think it is a cup.", "stop", "malformed_reply"),
        (f"```json\n{json.dumps(GOOD)}\n```", "stop", "malformed_reply"),
        (json.dumps(GOOD)[:-1] + ', "question": "Twice?"}', "stop", "malformed_reply"),
        (json.dumps(GOOD).replace("A red cup.", "A red\ncup."), "stop", "malformed_reply"),
        ("the server says no", "error", "request_failed"),
        ("I cannot", "content_filter", "refused"),
        ("[" * 100_000, "stop", "malformed_reply"),
        ('{"description": NaN}', "stop", "malformed_reply"),
        ("[]", "stop", "schema_violation"),
        (json.dumps(GOOD | {"extra": 1}), "stop", "schema_violation"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "question"}), "stop", "schema_violation"),
        (json.dumps(GOOD | {"task_type": "Factoid"}), "stop", "schema_violation"),
        (json.dumps(GOOD | {"question": "   "}), "stop", "schema_violation"),
        (json.dumps(GOOD | {"positive_answer": 3}), "stop", "schema_violation"),
        (json.dumps(GOOD | {"question": "x" * 501}), "stop", "schema_violation"),
        (json.dumps(GOOD | {"question": "\ud800"}), "stop", "schema_violation"),
    ],
)
def test_reply_that_does_not_fit_is_rejected_with_its_beginning(text, finish_reason, reason):
    got, detail = reply(text, finish_reason)
    assert got == reason
    assert reason in REFUSALS
    assert len(detail) < 700
    if text.strip():
        assert text[:20] in detail


class Forgetful:
    fingerprint = "forgetful"

    def generate(self, requests, schema):
        return [Reply("{}", "stop")] * (len(requests) - 1)


def test_a_model_that_loses_a_reply_stops_the_run():
    with pytest.raises(ModelError, match="1 replies to 2 requests"):
        ask(Forgetful(), [Request("a", (), ()), Request("b", (), ())], {})


def test_nothing_is_asked_without_requests():
    assert ask(Forgetful(), [], {}) == []


class Moody:
    """Answers a question with what stands for its prompt and seed; the third is cut off, whatever the seed."""

    fingerprint = "moody"

    def __init__(self):
        self.asked = []

    def generate(self, requests, schema):
        self.asked.append([(r.prompt, r.seed) for r in requests])
        return [self._reply(r) for r in requests]

    def _reply(self, request):
        usage = Usage(requests=1, input_tokens=10, output_tokens=5)
        if request.prompt == "cut":
            return Reply("{", "length", usage)
        if request.prompt == "gone":
            return Reply("HTTP 400", "error", usage)
        fits = request.prompt == "good" or request.seed > 7
        return Reply(json.dumps(GOOD) if fits else "{", "stop", usage)


def test_what_does_not_fit_is_asked_once_more_with_another_seed_and_what_was_spent_is_summed():
    vlm = Moody()
    requests = [Request(prompt, (), (), seed=7) for prompt in ("good", "moody", "cut", "gone")]
    found = answers(vlm, requests, {}, lambda r: parse(r, Cup))
    assert vlm.asked == [[("good", 7), ("moody", 7), ("cut", 7), ("gone", 7)], [("moody", 8), ("cut", 8)]]
    assert [isinstance(f.answer, Cup) for f in found] == [True, True, False, False]
    assert [f.answer[0] for f in found[2:]] == ["reply_truncated", "request_failed"]
    assert [(f.usage.requests, f.usage.input_tokens, f.usage.output_tokens) for f in found] == [
        (1, 10, 5),
        (2, 20, 10),
        (2, 20, 10),
        (1, 10, 5),
    ]
