"""Seedmine: raw images and videos -> mined training data for embedding and reranking models.

Three rooms, one table format between them (docs/architecture.md):

    raw media --seed_pool--> seed pool --synth--> D = (I, Q, C, R) --mine--> training shards

Read in this order: `stage.py` (the law of a step), `schemas.py` (every column), one recipe
(`seed_pool/recipe.py`), one stage (`seed_pool/quality.py`) and its test. Then `media/` (pixels),
`models/` (protocols and adapters), `store/` (files), `runners/` (Ray, or a plain loop). `takedown.py`
takes an item out of all three rooms; `prompt_page.py` shows what a VLM is asked in two of them.

The public API is `build_seed_pool`, `synthesise`, `mine_negatives` and `mine_data_set`, imported from the recipes
so that `import pipeline` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.mine.recipe import mine_data_set as mine_data_set
    from pipeline.mine.recipe import mine_negatives as mine_negatives
    from pipeline.seed_pool.recipe import build_seed_pool as build_seed_pool
    from pipeline.synth.recipe import synthesise as synthesise

_HOMES = {
    "build_seed_pool": "pipeline.seed_pool.recipe",
    "synthesise": "pipeline.synth.recipe",
    "mine_negatives": "pipeline.mine.recipe",
    "mine_data_set": "pipeline.mine.recipe",
}
__all__ = ["build_seed_pool", "mine_data_set", "mine_negatives", "synthesise"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
