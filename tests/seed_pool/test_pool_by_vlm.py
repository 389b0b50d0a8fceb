"""A pool labelled by a VLM, judged by percentile and rebalanced: from files to files, with models for tests."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Config, RunnerSettings
from pipeline.errors import ConfigError
from pipeline.runners.local import LocalRunner
from pipeline.seed_pool.recipe import SeedPool, build_seed_pool
from pipeline.seed_pool.taxonomy import load_taxonomy
from pipeline.store.shards import read_dataset
from tests.integration.media import write_media

FAKE = {"adapter": "fake"}
OWN = "image: {G: {a: {describe: one}, b: {describe: two}}}\nvideo: {V: {v: {describe: three}}}\n"


class Quiet:
    def begin(self, stages: Any, rows: int) -> None: ...
    def advance(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None: ...
    def end(self) -> None: ...


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_media(tmp_path_factory.mktemp("vlm") / "media")


def config(**seed_pool: Any) -> Config:
    label = {"min_vlm_confidence": 0.0, **seed_pool.pop("label", {})}
    return Config.model_validate({"vlm": FAKE, "aligner": FAKE, "seed_pool": {"label": label, **seed_pool}})


def build(media: Path, out: Path, settings: Config) -> tuple[SeedPool, list[dict[str, Any]], list[dict[str, Any]]]:
    pool = build_seed_pool(str(media), out, settings, LocalRunner(RunnerSettings(kind="local")), Quiet())
    kept, lost = (read_dataset(pool.folder / name).to_pylist() for name in ("assets", "rejected"))
    return pool, kept, lost


def test_a_vlm_labels_every_asset_inside_the_tree(media: Path, tmp_path: Path) -> None:
    _, kept, lost = build(media, tmp_path, config(align={"min_alignment": -1}))
    tree = load_taxonomy("taxonomy.yaml")
    assert {a["media"] for a in kept} == {"image", "video"}
    for asset in kept:
        assert asset["category"] in tree.of(asset["media"])
        assert asset["description"]
        assert 0 <= asset["category_confidence"] <= 1
        assert asset["labels"] == []
        assert asset["facts"] is None
        assert -1 <= asset["alignment"] <= 1
    assert len({a["uri"] for a in kept} | {r["uri"] for r in lost}) == len(list(media.iterdir()))


def test_free_answers_are_placed_inside_the_tree(media: Path, tmp_path: Path) -> None:
    pool, kept, _ = build(media, tmp_path, config(align={"min_alignment": -1}, label={"outside": "nearest"}))
    tree = load_taxonomy("taxonomy.yaml")
    assert all(asset["category"] in tree.of(asset["media"]) for asset in kept)
    assert "categorise" in [c.stage for c in pool.counts]


def test_doubt_percentile_and_quota_each_leave_their_reason(media: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    settings = config(
        label={"taxonomy": str(own), "min_vlm_confidence": 0.1},
        align={"min_percentile": 40},
        rebalance={"target": "cap", "max_per_category": 1},
    )
    pool, kept, lost = build(media, tmp_path / "out", settings)
    reasons = {r["reason"] for r in lost}
    assert {"misaligned", "over_quota"} <= reasons
    places = [(a["media"], a["category"]) for a in kept]
    assert len(places) == len(set(places))
    summary = json.loads((pool.folder / "summary.json").read_text())
    assert [(limit["media"], limit["by"]) for limit in summary["alignment_limits"]] == [
        ("image", "min_percentile"),
        ("video", "min_percentile"),
    ]
    for quota in summary["quotas"]:
        name = f"{quota['media']}: {quota['category']}"
        assert summary["category_before"][name] == quota["supply"]
        assert summary["category_after"].get(name, 0) == min(quota["supply"], quota["quota"])
    assert pool.kept == len(kept)
    for counts in pool.counts[-2:]:
        assert counts.rows_kept + sum(counts.rejected.values()) == counts.rows_in


def test_another_taxonomy_under_the_same_name_is_another_pool(media: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    settings = config(label={"taxonomy": str(own)}, align={"min_alignment": -1})
    assert not build(media, tmp_path / "out", settings)[0].reused
    assert build(media, tmp_path / "out", settings)[0].reused
    own.write_text(OWN.replace("b:", "c:"))
    pool, kept, _ = build(media, tmp_path / "out", settings)
    assert not pool.reused
    assert {a["category"] for a in kept} <= {"G/a", "G/c", "V/v"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"align": {"by_category": {"image": {"Natural/animl": {"min_alignment": 0.1}}}}}, "'Natural/animal'"),
        ({"rebalance": {"target": "counts", "quotas": {"video": {"Natur": 3}}}}, "'Nature'"),
    ],
)
def test_a_wrong_category_in_the_settings_stops_before_the_first_file(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(ConfigError, match=message):
        build(tmp_path / "in", tmp_path / "out", config(**settings))
