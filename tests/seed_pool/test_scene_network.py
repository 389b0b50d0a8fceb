"""The detector `transnetv2` in a build: its settings, its weights as part of the pool's name, its decoding process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.config import Config, SceneSettings, SeedPoolSettings
from pipeline.config_file import load_config
from pipeline.errors import ConfigError, ModelError
from pipeline.media.cuts import detection_limit_s
from pipeline.seed_pool.scenes import SplitSettings, split_scenes
from tests.media.shot_weights import colour_weights, saved
from tests.seed_pool.test_recipe import build, media  # noqa: F401 - a fixture
from tests.seed_pool.test_scenes import rows, store, write


def asking(weights: Path) -> SceneSettings:
    return SceneSettings(detector="transnetv2", weights=weights)


def test_without_weights_the_detector_is_a_config_error_that_says_what_to_give() -> None:
    message = r"seed_pool\.scenes\.weights is None in --set: .*needs a file of its weights, \.safetensors or \.pth"
    with pytest.raises(ConfigError, match=message):
        load_config(None, ["seed_pool.scenes.detector=transnetv2"])


def test_weights_may_stand_in_the_settings_of_another_detector() -> None:
    config = load_config(None, ["seed_pool.scenes.weights=w.pth"])
    assert (config.seed_pool.scenes.detector, config.seed_pool.scenes.weights) == ("content", Path("w.pth"))


def test_other_weights_make_another_pool_and_another_folder_does_not(media: Path, tmp_path: Path) -> None:  # noqa: F811
    def reused(weights: Path) -> bool:
        return build(media, Config(seed_pool=SeedPoolSettings(scenes=asking(weights)))).reused

    state = colour_weights()
    assert not reused(saved(state, tmp_path / "w.pth"))
    assert reused(saved(state, tmp_path / "elsewhere/w.pth"))
    changed = {**state, "cls_layer1.bias": torch.tensor([-9.0])}
    assert not reused(saved(changed, tmp_path / "elsewhere/w.pth"))
    assert not build(media).reused


def test_weights_that_cannot_be_loaded_stop_a_build_before_it_begins(media: Path) -> None:  # noqa: F811
    with pytest.raises(ModelError, match="cannot read the weights"):
        build(media, Config(seed_pool=SeedPoolSettings(scenes=asking(Path("gone.pth")))))
    assert not (media.parent / "out/seed_pool").exists()


def test_the_decoding_process_cuts_by_the_network(tmp_path: Path) -> None:
    write(tmp_path, "a.mp4")
    settings = SplitSettings(store(tmp_path, isolate=True), asking(saved(colour_weights(), tmp_path / "w.pth")))
    found = split_scenes(rows("a.mp4"), settings).to_pylist()
    assert [(f["start_s"], f["end_s"], f["reject"]) for f in found] == [(0.0, 1.0, None), (1.0, 2.0, None)]


@pytest.mark.parametrize(("duration_s", "expected"), [(None, 0.0), (6.0, 60.0)])
def test_a_file_may_take_longer_where_the_network_looks_at_it(duration_s: float | None, expected: float) -> None:
    assert detection_limit_s(asking(Path("w.pth")), duration_s) == expected
    assert detection_limit_s(SceneSettings(), duration_s) == 0.0
