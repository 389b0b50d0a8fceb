"""Scores as a column and as rejects; through a whole build with a real head over fake vectors."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from pipeline.config import Config, FrameSettings, ModelSettings, RunnerSettings, ScorerSettings, VlmSettings
from pipeline.config_file import load_config
from pipeline.errors import ConfigError
from pipeline.media.frames import FrameStore
from pipeline.models.protocols import Pixels, Vectors
from pipeline.runners.local import LocalRunner
from pipeline.seed_pool.recipe import build_seed_pool
from pipeline.seed_pool.score import ScoreSource, score_assets
from pipeline.store.shards import read_dataset
from tests.media.stills import encoded
from tests.runners.steps import Silent
from tests.seed_pool.test_pictures import scene

FAKE = ModelSettings(adapter="fake")


class Given:
    """Scores that the test gives."""

    names, fingerprint = ("aesthetic", "nsfw"), "given"

    def __init__(self, scores: list[list[float]]) -> None:
        self.scores = scores

    def score(self, assets: list[Pixels]) -> Vectors:
        assert len(assets) == len(self.scores)
        return np.array(self.scores, np.float32)


def test_scores_become_a_column_and_the_first_missed_limit_a_reject(tmp_path: Path) -> None:
    scores = [[5.0, 0.5], [4.5, 0.75], [4.25, 0.99], [6.0, 0.8]]
    ids = [f"a{i}" for i in range(len(scores))]
    source = FrameStore(tmp_path / "cache", tmp_path, FrameSettings())
    for key in ids:
        source.put(key, Pixels((b"x",), (0.0,), video=False))
    nothing = pa.nulls(len(ids), pa.float64())
    rows = pa.table({"asset_id": ids, "uri": ids, "media": ["image"] * 4, "start_s": nothing, "end_s": nothing})
    prompts = {"kind": "zero_shot", "embedder": FAKE, "prompts": ("a",), "against": ("b",)}
    limits = (
        ScorerSettings(name="aesthetic", min_score=4.5, **prompts),
        ScorerSettings(name="nsfw", max_score=0.75, **prompts),
    )
    found = score_assets(rows, ScoreSource(source, limits), Given(scores))
    assert found.column("scores").to_pylist()[0] == [
        {"name": "aesthetic", "score": 5.0},
        {"name": "nsfw", "score": 0.5},
    ]
    rejects = [r and (r["reason"], r["detail"]) for r in found.column("reject").to_pylist()]
    assert rejects == [
        None,
        None,
        ("low_score", "aesthetic 4.250, limit 4.5"),
        ("high_score", "nsfw 0.800, limit 0.75"),
    ]


def test_a_build_writes_the_scores_and_without_scorers_none(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    (media / "a.png").write_bytes(encoded_scene())
    torch.save({"weight": torch.ones(1, 32), "bias": torch.zeros(1)}, tmp_path / "head.pt")
    other = ModelSettings(adapter="fake", model="other")
    settings = {"vlm": VlmSettings(adapter="fake"), "aligner": other, "seed_pool": {"align": {"min_alignment": -1}}}
    plain = build(media, tmp_path / "plain", Config(**settings))
    assert plain["scores"] is None
    scorer = ScorerSettings(name="sum", kind="linear_head", embedder=FAKE, weights=tmp_path / "head.pt")
    settings["seed_pool"]["scorers"] = (scorer,)
    (score,) = build(media, tmp_path / "scored", Config(**settings))["scores"]
    assert score["name"] == "sum"
    assert np.isfinite(score["score"])


def encoded_scene() -> bytes:
    return encoded(Image.fromarray(scene()), "PNG")


def build(media: Path, out: Path, config: Config) -> dict[str, object]:
    pool = build_seed_pool(str(media), out, config, LocalRunner(RunnerSettings(kind="local")), Silent())
    (asset,) = read_dataset(pool.folder / "assets").to_pylist()
    return asset


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        ("{name: a, kind: linear_head, embedder: {}}", "weights belong to a linear_head"),
        ("{name: a, kind: zero_shot, embedder: {}, prompts: [x]}", "prompts and against"),
        ("{name: a, kind: linear_head, embedder: {}, weights: w.pt, prompts: [x], against: [y]}", "zero_shot"),
        ("{name: A b, kind: linear_head, embedder: {}, weights: w.pt}", "seed_pool.scorers.0.name"),
        ("{name: a, kind: linear_head, embedder: {}, weight: w.pt}", "did you mean 'seed_pool.scorers.0.weights'"),
        ("{name: a, kind: linear_head, embedder: {modle: x}, weights: w.pt}", "'seed_pool.scorers.0.embedder.model'"),
    ],
)
def test_a_scorer_without_what_its_kind_needs_is_a_config_error(scorer: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(None, [f"seed_pool.scorers=[{scorer}]"])


def test_two_scorers_of_one_name_are_a_config_error() -> None:
    one = "{name: a, kind: linear_head, embedder: {}, weights: w.pt}"
    with pytest.raises(ConfigError, match="a name of its own"):
        load_config(None, [f"seed_pool.scorers=[{one}, {one}]"])
