from __future__ import annotations

import pytest

from pipeline.config import ModelSettings
from pipeline.errors import ModelError
from pipeline.models.fake import FakeClassifier, FakeEmbedder, FakeTextReader, FakeVlm
from pipeline.models.load import load
from pipeline.stage import ModelRef

FAKE = ModelSettings(adapter="fake", model="a")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("classifier", FakeClassifier),
        ("embedder", FakeEmbedder),
        ("text_reader", FakeTextReader),
        ("vlm", FakeVlm),
    ],
)
def test_a_reference_names_an_adapter(kind: str, expected: type) -> None:
    assert isinstance(load(ModelRef(kind, FAKE)), expected)


def test_equal_references_share_one_model_and_different_ones_do_not() -> None:
    again = ModelSettings(adapter="fake", model="a")
    assert load(ModelRef("embedder", FAKE)) is load(ModelRef("embedder", again))
    assert load(ModelRef("embedder", FAKE)) is not load(ModelRef("embedder", ModelSettings(adapter="fake", model="b")))


def test_a_kind_that_the_adapter_lacks_is_named_with_what_exists() -> None:
    with pytest.raises(ModelError, match=r"builtin has no vlm: it has classifier, embedder, text_reader.* fake"):
        load(ModelRef("vlm", ModelSettings()))
    with pytest.raises(ModelError, match=r"builtin has no reranker.*comes with sentence_transformers"):
        load(ModelRef("reranker", ModelSettings()))
    with pytest.raises(ModelError, match=r"builtin has no oracle.*comes with no adapter"):
        load(ModelRef("oracle", ModelSettings()))


def test_an_unknown_builtin_model_is_named_with_those_that_exist() -> None:
    with pytest.raises(ModelError, match="no model 'lite9'; it has lite0, lite2"):
        load(ModelRef("classifier", ModelSettings(model="lite9")))
