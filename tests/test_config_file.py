"""Settings: defaults, ranges, and messages that name the fix."""

from pathlib import Path

import pytest

from pipeline.config import Config
from pipeline.config_file import load_config
from pipeline.errors import ConfigError


def test_the_shipped_laptop_config_is_the_default() -> None:
    assert load_config(Path("configs/laptop.yaml")) == Config()


def test_assignments_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("mine: {top_k: 7, t_pos: 0.5}\n")
    config = load_config(path, ["mine.top_k=9", "synth.languages=[en, zh]"])
    assert (config.mine.top_k, config.mine.t_pos, config.synth.languages) == (9, 0.5, ("en", "zh"))


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("mine.topk=3", "unknown setting 'mine.topk' in --set; did you mean 'mine.top_k'?"),
        ("frames.sample_fps=0", "frames.sample_fps is 0 in --set: Input should be greater than 0"),
        ("mine.top_k", "--set 'mine.top_k' is not of the form key=value"),
        ("mine=3", "mine is 3 in --set"),
        ("mine.rule=[relative]", "mine in --set: rule names relative; give relative_margin too"),
        ("mine.judge.on=true", "--set: mine.judge.on is true, but there is no reranker; set reranker.adapter"),
        ("mine.top_k=[", "is not a YAML value"),
        ("embedder.calibration={cosine: [-1, 0.5, 0.2, 1], score: [-1, 0, 0.5, 1]}", "cosine must rise from -1 to 1"),
    ],
)
def test_a_wrong_setting_is_named_with_its_fix(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(None, [assignment])
    assert message in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read config"):
        load_config(tmp_path / "gone.yaml")
