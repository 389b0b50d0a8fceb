"""The head of the page: how much there is of everything, and the settings it was made with."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import Config
from pipeline.report import read
from pipeline.report.mining import MineView
from pipeline.report.pool import PoolView
from pipeline.report.tasks import TaskView
from pipeline.report.text import count, percent
from pipeline.store.shards import Manifest

# Dotted key, its name on the page, what it means; by the room whose manifest records it.
_SETTINGS = {
    "pool": (
        ("vlm", "Annotator", "writes category, description and the examples of the tasks"),
        ("aligner", "Aligner", "checks that a description fits the pixels; another model than the annotator"),
        ("seed_pool.rebalance.target", "Rebalancing", "the distribution of categories that the pool is cut towards"),
        ("seed", "Seed", "of every random choice"),
    ),
    "mine": (
        ("embedder", "Embedder", "scores queries against documents"),
        ("mine.t_pos", "t+", "a positive must score above this, or its query is dropped"),
        ("mine.margin", "Margin δ", "a negative must score below the mean positive plus this"),
        ("mine.top_k", "Top K", "documents recalled a query"),
        ("mine.negatives", "Negatives", "hard negatives kept a query, at most"),
    ),
}


@dataclass(frozen=True)
class Figure:
    """A number at the top of the page, and one line on what it counts."""

    value: str
    name: str
    meaning: str


@dataclass(frozen=True)
class SettingRow:
    """A setting that shaped the data. `planned`: nothing was made with it yet."""

    name: str
    value: str
    meaning: str
    planned: bool


@dataclass(frozen=True)
class Commands:
    """What to type next."""

    seed_pool: str
    synth: str
    mine: str


def commands(out: Path, config: Config) -> Commands:
    """The three commands for this output folder, ready for a shell."""
    where = f"--out {shlex.quote(str(out))}"
    mine = config.mine
    return Commands(
        f"seed-pool build INPUT {where}",
        f"synth run --task all {where}",
        f"mine --t-pos {mine.t_pos:g} --margin {mine.margin:g} {where}",
    )


def figures(pool: PoolView | None, tasks: Sequence[TaskView], mined: Sequence[MineView]) -> list[Figure]:
    """The counts of a run, from raw files to training rows; what was not run has none."""
    shown: list[Figure] = []
    if pool is not None:
        media = " and ".join(f"{count(n)} {_noun(medium, n)}" for medium, n in pool.kept_media.items())
        shown += [
            Figure(count(pool.files), "files found", "everything in the input folder, whatever it is"),
            Figure(count(pool.kept), "assets kept", media or "nothing passed every stage"),
            Figure(count(pool.rejected), "rejected", "files and segments dropped, each with one reason"),
        ]
    if tasks:
        queries = sum(t.queries for t in tasks)
        shown += [
            Figure(count(len(tasks)), "tasks", "data sets of instruction, queries, corpus and relevance"),
            Figure(count(queries), "queries", "synthesised examples over all tasks"),
        ]
    if mined:
        kept, lost = sum(m.kept for m in mined), sum(m.lost for m in mined)
        negatives = sum(m.negatives for m in mined)
        shown += [
            Figure(count(kept), "training rows", f"{percent(kept, kept + lost)} of queries have a positive above t+"),
            Figure(count(negatives), "hard negatives", "near in score, and not relevant, beside those rows"),
        ]
    return shown


def _noun(medium: str, n: int) -> str:
    name = {"image": "image", "video": "video segment"}.get(medium, medium)
    return name if n == 1 else f"{name}s"


def settings(config: Config, pool: Sequence[Manifest], mined: Sequence[Manifest]) -> list[SettingRow]:
    """What the data was made with, from its manifests; `config` speaks for what was not run yet."""
    planned = config.model_dump(mode="json")
    rows = []
    for room, manifests in (("pool", pool), ("mine", mined)):
        for key, name, meaning in _SETTINGS[room]:
            configs = [m.config for m in manifests] or [planned]
            values = dict.fromkeys(_written(read.setting(c, key)) for c in configs)
            rows.append(SettingRow(name, ", ".join(values), meaning, planned=not manifests))
    versions = dict.fromkeys(m.package_version for m in [*pool, *mined])
    if versions:
        rows.append(
            SettingRow("Seedmine", ", ".join(versions), "version of the package that wrote the data", planned=False)
        )
    return rows


def _written(value: Any) -> str:
    if value is None:
        return "not recorded"
    if isinstance(value, dict):
        return " / ".join(str(value[k]) for k in ("adapter", "model") if value.get(k)) or "not recorded"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
