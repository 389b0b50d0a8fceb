from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import BertModel

from pipeline.models.builtin.sentences import DIM, Sentences, network

TEXTS = ["A tabby cat.", "", "Ein Wörterbuch über 猫 und 🐈", "word " * 600]


@pytest.fixture(scope="module")
def sentences() -> Sentences:
    return Sentences()


def test_vectors_have_the_same_bits_in_any_company(sentences: Sentences) -> None:
    together = sentences.embed([*TEXTS, TEXTS[0]])
    assert together.shape == (5, DIM)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    for text, row in zip(TEXTS, together, strict=False):
        assert np.array_equal(row, sentences.embed([text])[0])
    assert np.array_equal(together[0], together[4])


def test_onnx_runtime_gives_the_vectors_of_torch(sentences: Sentences) -> None:
    net, _ = network()
    assert isinstance(net.bert, BertModel)
    ids = torch.tensor([[101, 1037, 21628, 3762, 4937, 1012, 102]])  # [CLS] a tab ##by cat . [SEP]
    with torch.inference_mode():
        expected = net(ids).numpy()
    np.testing.assert_allclose(sentences.embed(["A tabby cat."]), expected, atol=1e-5)


def test_meaning_is_near_in_the_space(sentences: Sentences) -> None:
    cat, kitten, truck = sentences.embed(["a cat", "a kitten", "a dump truck"])
    assert cat @ kitten > 0.6 > cat @ truck


def test_no_texts_give_no_rows(sentences: Sentences) -> None:
    assert sentences.embed([]).shape == (0, DIM)
