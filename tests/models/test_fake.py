from __future__ import annotations

import json
from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field

from pipeline.models.fake import FakeClassifier, FakeEmbedder, FakeTextReader, FakeVlm
from pipeline.models.protocols import Item, Request
from tests.models.pictures import gradient, pixels, plain


class Span(BaseModel):
    start_s: float = Field(ge=0)
    end_s: float = Field(gt=0)


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    description: Annotated[str, Field(min_length=40, max_length=60)]
    task_type: Literal["Scene Parsing", "Activity Recognition"]
    spans: Annotated[list[Span], Field(min_length=2)]
    count: int = Field(ge=3)
    note: str | None
    sure: bool


def test_vlm_fills_any_response_model_with_valid_json() -> None:
    requests = [Request("what is it?", (pixels(gradient()),), ("a",)), Request("where?", (), ())]
    replies = FakeVlm().generate(requests, Answer.model_json_schema())
    answers = [Answer.model_validate_json(r.text) for r in replies]
    assert len(answers) == 2
    assert answers[0] != answers[1]
    assert replies == FakeVlm().generate(requests, Answer.model_json_schema())
    assert {r.finish_reason for r in replies} == {"stop"}


def test_a_number_between_two_bounds_varies_with_the_request() -> None:
    schema = {"type": "object", "properties": {"sure": {"type": "number", "minimum": 0, "maximum": 1}}}
    said = [
        json.loads(r.text)["sure"] for r in FakeVlm().generate([Request(f"p{i}", (), ()) for i in range(40)], schema)
    ]
    assert all(0 <= value <= 1 for value in said)
    assert len(set(said)) > 10


def test_vlm_answers_by_the_function_it_was_given() -> None:
    vlm = FakeVlm(answer=lambda request, schema: json.dumps({"said": request.prompt, "keys": sorted(schema)}))
    assert json.loads(vlm.generate([Request("hello", (), ())], {"type": "object"})[0].text) == {
        "said": "hello",
        "keys": ["type"],
    }


def test_equal_items_get_equal_vectors_and_others_are_nearly_orthogonal() -> None:
    items = [Item(text="a"), Item(text="b"), Item(text="a"), Item(pixels=pixels(gradient()))]
    vectors = FakeEmbedder().embed(items)
    assert np.array_equal(vectors[0], vectors[2])
    assert abs(vectors[0] @ vectors[1]) < 0.8
    assert not np.array_equal(vectors, FakeEmbedder().embed(items, instruction="other"))


def test_classifier_is_sure_of_one_class_and_names_another_as_confusable() -> None:
    classifier = FakeClassifier()
    probabilities = classifier.classify([gradient(), plain(255, 0, 0)])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    best = int(probabilities[0].argmax())
    assert probabilities[0, best] == pytest.approx(0.9)
    other = classifier.confusable(best, probabilities[0])
    assert other is not None
    assert other != best
    assert classifier.classify([]).shape == (0, 6)


def test_text_reader_reads_nothing() -> None:
    assert FakeTextReader().read(gradient()) == []
