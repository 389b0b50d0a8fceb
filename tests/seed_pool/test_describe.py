"""A description says what was measured and names only what is sure."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.config import FactSettings
from pipeline.models.protocols import TextLine
from pipeline.seed_pool.describe import describe
from tests.synth.samples import PLAIN

LIMITS = FactSettings()
BROWN = replace(PLAIN, colours=(("brown", 0.6), ("white", 0.2), ("red", 0.1)))


def labels(probability: float) -> list[dict[str, Any]]:
    return [{"name": "cheetah", "hypernym": "big cat", "probability": probability}]


def test_a_sure_class_is_named_with_its_category() -> None:
    assert (
        describe(BROWN, labels(0.9), "Natural/animal", "image", LIMITS) == "Cheetah (animal). Mostly brown and white."
    )


def test_an_unsure_class_is_not_named_nor_is_its_parent() -> None:
    assert describe(BROWN, labels(0.4), "Natural/animal", "image", LIMITS) == "Animal. Mostly brown and white."


@pytest.mark.parametrize(("confidence", "quoted"), [(0.95, True), (0.5, False)])
def test_text_is_quoted_only_when_it_was_read_surely(confidence: float, quoted: bool) -> None:
    facts = replace(BROWN, text=(TextLine("OPEN", confidence, 0.1),))
    assert ("Text reads: OPEN." in describe(facts, labels(0.4), "Man-made/object", "image", LIMITS)) is quoted


def test_change_is_told_of_videos_only() -> None:
    facts = replace(BROWN, motion=40.0, change=30.0)
    assert describe(facts, labels(0.4), "Nature/wildlife", "video", LIMITS).endswith("Much change.")
    assert "change" not in describe(facts, labels(0.4), "Natural/animal", "image", LIMITS)
