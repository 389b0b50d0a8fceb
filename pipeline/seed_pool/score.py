"""Scores by models of one's own choice: aesthetics, NSFW, watermarks. Off unless `scorers` names some."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from pipeline.config import ScorerSettings
from pipeline.media.frames import FrameStore
from pipeline.models.protocols import Scorer
from pipeline.schemas import ASSETS
from pipeline.seed_pool.measure import PLACE
from pipeline.stage import ModelRef, Resources, Stage, rejects

NAME = "score"
ADDS = pa.schema([ASSETS.field("scores")])


@dataclass(frozen=True)
class ScoreSource:
    """Where the frames are, and the limits of each scorer."""

    store: FrameStore
    scorers: tuple[ScorerSettings, ...]


def scoring(source: ScoreSource) -> Stage:
    """The stage that scores assets and drops those outside a limit."""
    model = ModelRef("scorers", source.scorers)
    return Stage(NAME, score_assets, source, PLACE, ADDS, model=model, resources=Resources(batch_rows=8))


def score_assets(table: pa.Table, source: ScoreSource, model: Scorer) -> pa.Table:
    """Add `scores`, one a scorer by its name; reject as low_score or high_score by the first limit missed."""
    rows = model.score([source.store.get(**row) for row in table.to_pylist()]).tolist()
    columns = [[{"name": n, "score": s} for n, s in zip(model.names, row, strict=True)] for row in rows]
    verdicts = [_verdict(row, source.scorers) for row in rows]
    return pa.table({"scores": pa.array(columns, ADDS.field("scores").type), "reject": rejects(NAME, verdicts)})


def _verdict(scores: list[float], scorers: tuple[ScorerSettings, ...]) -> tuple[str, str] | None:
    for scorer, score in zip(scorers, scores, strict=True):
        if scorer.min_score is not None and score < scorer.min_score:
            return "low_score", f"{scorer.name} {score:.3f}, limit {scorer.min_score:g}"
        if scorer.max_score is not None and score > scorer.max_score:
            return "high_score", f"{scorer.name} {score:.3f}, limit {scorer.max_score:g}"
    return None
