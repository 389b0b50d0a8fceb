"""Mines a data set with an embedder whose space a reader can see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.config import Config, MineSettings
from pipeline.mine.data_set import DataSet
from pipeline.mine.recipe import MinedTask, MineOptions, mine_data_set
from pipeline.store.shards import read_dataset
from tests.mine.loop import Loop, Silent
from tests.mine.planted import Colours

CONFIG = Config(mine=MineSettings(t_pos=0.2, margin=0.1, top_k=5, negatives=3))


def mine(out: Path, path: Path, config: Config = CONFIG, overwrite: bool = False, **told: Any) -> MinedTask:
    data_set = DataSet(path, **{"name": "same", **told})
    options = MineOptions("colours", media_root=data_set.media_root, overwrite=overwrite)
    return mine_data_set(out, data_set, config, Loop(Colours()), Silent(), options)


def mined(out: Path, path: Path, config: Config = CONFIG, **told: Any) -> dict[str, list[dict[str, Any]]]:
    """Rows by part, in the order of their queries' ids."""
    result = mine(out, path, config, **told)
    parts = {part: read_dataset(result.folder / part).to_pylist() for part in ("train", "rejected")}
    return {part: sorted(rows, key=lambda r: r["query_id"]) for part, rows in parts.items()}


def malformed(out: Path, name: str = "same") -> list[tuple[str, str | None, str]]:
    """Part, place and reason of the rows of a data set that could not be used."""
    rows = read_dataset(out / "datasets" / name / "rejected").to_pylist()
    return sorted((r["part"], r["place"] or r["id"], r["reason"]) for r in rows)
