"""What every Reranker adapter promises. A new adapter joins by a line in ADAPTERS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import ModelSettings
from pipeline.models.protocols import Item, Reranker
from pipeline.models.sentence_transformers.qwen_vl import QwenVlReranker
from tests.models.pictures import gradient, pixels, plain
from tests.models.tiny_qwen_vl import save_qwen3_vl

Load = Callable[[Path, int], Reranker]
ITEMS = [
    Item(text="a tabby cat"),
    Item(text="two dogs on a red sofa, asleep"),
    Item(text=""),
    Item(pixels=pixels(gradient())),
    Item(text="what is it?", pixels=pixels(plain(255, 0, 0), gradient(), video=True)),
]
PAIRS = [("Find it", query, document) for query in ITEMS for document in ITEMS]


def _sentence_transformers(folder: Path, seed: int) -> Reranker:
    home = folder / f"reranker-{seed}"
    path = home if home.exists() else save_qwen3_vl(home, seed, appends_end=False)
    return QwenVlReranker(ModelSettings(adapter="sentence_transformers", model=str(path)))


ADAPTERS: dict[str, Load] = {"sentence_transformers, Qwen3-VL": _sentence_transformers}


@pytest.fixture(scope="module", params=ADAPTERS.values(), ids=list(ADAPTERS))
def adapter(request: pytest.FixtureRequest) -> Load:
    found: Load = request.param
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(adapter: Load, folder: Path) -> Reranker:
    return adapter(folder, 0)


def test_one_finite_logit_a_pair(model: Reranker) -> None:
    scores = model.score(PAIRS)
    assert scores.shape == (len(PAIRS),)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert np.abs(scores).max() > 1  # no probabilities


def test_no_pairs_give_no_scores(model: Reranker) -> None:
    scores = model.score([])
    assert scores.shape == (0,)
    assert scores.dtype == np.float32


def test_scores_follow_the_order_of_pairs(model: Reranker) -> None:
    np.testing.assert_allclose(model.score(PAIRS[::-1])[::-1], model.score(PAIRS), atol=1e-4)


def test_a_score_does_not_depend_on_its_batch(model: Reranker) -> None:
    together = model.score(PAIRS)
    np.testing.assert_allclose([model.score([pair])[0] for pair in PAIRS], together, atol=1e-4)


def test_instruction_query_and_document_each_matter(model: Reranker) -> None:
    query, document = ITEMS[:2]
    scores = model.score([("Find it", query, document), ("Find it", document, query), ("Other", query, document)])
    assert len(set(scores.tolist())) == 3


def test_the_fingerprint_names_the_weights(adapter: Load, model: Reranker, folder: Path) -> None:
    assert adapter(folder, 0).fingerprint == model.fingerprint
    assert adapter(folder, 1).fingerprint != model.fingerprint
