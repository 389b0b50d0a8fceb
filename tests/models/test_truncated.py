from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import ModelSettings
from pipeline.errors import ModelError
from pipeline.models.fake import FakeEmbedder
from pipeline.models.load import load
from pipeline.models.protocols import Item
from pipeline.models.truncated import Truncated, truncated
from pipeline.stage import ModelRef


def test_the_first_values_are_kept_and_normalised_again() -> None:
    vectors = np.array([[3, 4, 12, 84], [0, 0, 1, 0], [1, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(truncated(vectors, 2), [[0.6, 0.8], [0, 0], [1, 0]], atol=1e-7)
    assert truncated(vectors, 2).dtype == np.float32
    assert truncated(vectors[:0], 2).shape == (0, 2)


def test_an_embedder_is_cut_and_says_so() -> None:
    items, whole = [Item(text="a"), Item(text="b")], FakeEmbedder("x")
    cut = Truncated(whole, 8, "x")
    np.testing.assert_allclose(cut.embed(items, "i"), truncated(whole.embed(items, "i"), 8))
    assert cut.fingerprint != whole.fingerprint
    assert cut.fingerprint != Truncated(whole, 9, "x").fingerprint


def test_more_values_than_there_are_is_a_model_error() -> None:
    assert Truncated(FakeEmbedder(), 32, "x").embed([Item(text="a")]).shape == (1, 32)
    with pytest.raises(ModelError, match=r"dim is 33, but the vectors of x have 32 values; use 32 or less"):
        Truncated(FakeEmbedder(), 33, "x")


def test_dim_belongs_to_embedders() -> None:
    assert isinstance(load(ModelRef("embedder", ModelSettings(adapter="fake", model="a", dim=4))), Truncated)
    with pytest.raises(ModelError, match="dim is 4, but a reranker gives no vectors"):
        load(ModelRef("reranker", ModelSettings(adapter="sentence_transformers", model="a", dim=4)))


def test_builtin_vectors_cannot_be_cut() -> None:
    with pytest.raises(ValueError, match="the builtin embedder's vectors cannot be cut"):
        ModelSettings(dim=64)
