from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ModelError
from pipeline.models.open_clip import OpenClip, source
from pipeline.models.protocols import Item
from tests.models.pictures import gradient, pixels, plain
from tests.models.tiny_open_clip import CONFIG, save


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("clip") / "model", seed=0)


@pytest.fixture(scope="module")
def model(folder: Path) -> OpenClip:
    return OpenClip(str(folder))


def test_a_model_is_named_by_tag_file_or_folder(tmp_path: Path) -> None:
    assert source("ViT-B-32/laion2b_s34b_b79k") == ("ViT-B-32", "laion2b_s34b_b79k")
    assert source("ViT-B-32//data/weights.pt") == ("ViT-B-32", "/data/weights.pt")
    assert source(str(tmp_path)) == (f"local-dir:{tmp_path}", None)


@pytest.mark.parametrize("wrong", ["ViT-B-32", "/nowhere", "ViT-B-32/"])
def test_another_name_is_an_error_that_shows_the_form(wrong: str) -> None:
    with pytest.raises(ModelError, match="architecture/tag"):
        source(wrong)


@pytest.mark.parametrize("wrong", ["ViT-B-32/no_such_tag", "No-Such-Net/openai"])
def test_an_unknown_tag_or_architecture_is_a_model_error(wrong: str) -> None:
    with pytest.raises(ModelError, match="open_clip cannot load"):
        OpenClip(wrong)


def test_a_folder_without_weights_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": {}}))
    with pytest.raises(ModelError, match="open_clip cannot load"):
        OpenClip(str(tmp_path))


def test_text_with_pixels_is_the_normalised_sum_and_a_video_the_mean_of_its_frames(model: OpenClip) -> None:
    one, two = gradient(), plain(255, 0, 0)
    text, a, b, both, video = model.embed(
        [
            Item(text="a cat"),
            Item(pixels=pixels(one)),
            Item(pixels=pixels(two)),
            Item(text="a cat", pixels=pixels(one)),
            Item(pixels=pixels(one, two, video=True)),
        ]
    )
    np.testing.assert_allclose(both, (text + a) / np.linalg.norm(text + a), atol=1e-5)
    np.testing.assert_allclose(video, (a + b) / np.linalg.norm(a + b), atol=1e-5)


def test_batches_do_not_matter(folder: Path, model: OpenClip) -> None:
    items = [Item(text=f"text {i}") for i in range(5)] + [Item(pixels=pixels(plain(i * 50, 0, 0))) for i in range(5)]
    np.testing.assert_allclose(OpenClip(str(folder), batch_size=2).embed(items), model.embed(items), atol=1e-5)


def test_an_empty_item_is_a_model_error(model: OpenClip) -> None:
    with pytest.raises(ModelError, match="item 0 has neither"):
        model.embed([Item()])
