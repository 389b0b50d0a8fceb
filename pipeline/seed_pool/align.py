"""Below which alignment an asset goes: a figure, or the lowest percent of its medium or category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import AlignLimit, AlignSettings
from pipeline.errors import ConfigError
from pipeline.seed_pool.taxonomy import MEDIA, Taxonomy, nearest_name
from pipeline.stage import shared_rejects

NAME = "align"
READS = ("media", "category", "alignment")
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Limit:
    """The lowest alignment that stays, of a medium (category None) or of one of its categories."""

    media: str
    category: str | None
    at: float  # calibrated cosine; -1 where no asset has a score
    by: Literal["min_alignment", "min_percentile"]
    percentile: float | None  # 0..100, where it was asked for
    assets: int  # with a score, that the limit is for

    @property
    def words(self) -> str:
        """How it came about, for a detail."""
        where = self.category or f"all {self.media} assets"
        how = self.by if self.percentile is None else f"min_percentile {self.percentile:g} of {self.assets}"
        return f"limit {self.at:.3f} ({how}, {where})"


def check_categories(settings: AlignSettings, taxonomy: Taxonomy) -> None:
    """Raise ConfigError, with the nearest name, for a limit of a category that the taxonomy does not have."""
    for media, named in settings.by_category.items():
        names = taxonomy.of(media)
        for name in named:
            if name not in names:
                raise ConfigError(
                    f"seed_pool.align.by_category.{media}: the taxonomy has no {media} category {name!r}; "
                    f"did you mean {nearest_name(name, names)!r}?"
                )


def alignment_limits(pool: pa.Table, settings: AlignSettings) -> list[Limit]:
    """The limits in force in this pool: one a medium that it holds, then one a category that has its own.

    pool: the columns of READS. A category that asks for a percentile but has fewer than
    `min_category_assets` assets has no limit in the result: that of its medium holds.
    """
    result = []
    for media in MEDIA:
        of_medium = pool.filter(pc.equal(pool.column("media"), media))
        if len(of_medium) == 0:
            continue
        wanted = settings.by_medium.get(media) or _default(settings)
        result.append(_limit(media, None, wanted, _scores(of_medium)))
        own: Mapping[str, AlignLimit] = settings.by_category.get(media, {})
        for category, limit in sorted(own.items()):
            scores = _scores(of_medium.filter(pc.equal(of_medium.column("category"), category)))
            enough = limit.min_percentile is None or len(scores) >= settings.min_category_assets
            if enough and len(scores):
                result.append(_limit(media, category, limit, scores))
    return result


def misaligned(pool: pa.Table, limits: list[Limit]) -> pa.Array:
    """The `reject` column: assets below the limit of their category, or else of their medium.

    pool: the columns of READS. A score that is no number is below every limit.
    """
    own = [limit for limit in limits if limit.category is not None]
    ordered = [*(limit for limit in limits if limit.category is None), *own]  # the later one holds
    of_row = np.full(len(pool), -1, dtype=np.int64)
    for number, limit in enumerate(ordered):
        mine = pc.equal(pool.column("media"), limit.media)
        if limit.category is not None:
            mine = pc.and_(mine, pc.equal(pool.column("category"), limit.category))
        of_row[pc.fill_null(mine, False).to_numpy(zero_copy_only=False)] = number
    scores = _all_scores(pool)
    at = np.array([*(limit.at for limit in ordered), np.nan], dtype=np.float32)[of_row]
    lost = np.flatnonzero(~(scores >= at))
    which = np.full(len(pool), -1, dtype=np.int64)
    which[lost] = np.arange(len(lost))
    verdicts = [
        ("misaligned", f"alignment {_shown(score)}, {ordered[number].words}")
        for score, number in zip(scores[lost].tolist(), of_row[lost].tolist(), strict=True)
    ]
    return shared_rejects(NAME, verdicts, which)


def value_at(scores: Scores, percentile: float) -> float:
    """The lowest score that stays when the lowest `percentile` percent go: -1..1, -1 without scores.

    scores: float32 [N], finite. The score at rank
    floor(N * percentile / 100), from 0: no more than the percentage lies below it, and equal
    scores share their fate, by staying. 0 rejects nothing; at 100 the highest score stays.
    """
    if len(scores) == 0:
        return -1.0
    known = np.sort(scores) + np.float32(0)  # of equal zeros, one is not to be written -0
    # Multiplied first: 29 / 100 * 100 is 28.999999999999996.
    return float(known[min(len(known) - 1, int(len(known) * percentile / 100))])


def _default(settings: AlignSettings) -> AlignLimit:
    if settings.min_percentile is not None:
        return AlignLimit(min_percentile=settings.min_percentile)
    return AlignLimit(min_alignment=settings.min_alignment)


def _all_scores(pool: pa.Table) -> Scores:
    """float32 [N], NaN where there is none."""
    column = pool.column("alignment").cast(pa.float32())
    return np.asarray(pc.fill_null(column, float("nan")).to_numpy(), dtype=np.float32)


def _scores(pool: pa.Table) -> Scores:
    """The scores that are numbers: float32 [N]."""
    scores = _all_scores(pool)
    return np.asarray(scores[np.isfinite(scores)], dtype=np.float32)


def _shown(score: float) -> str:
    return "no number" if isnan(score) else f"{score:.3f}"


def _limit(media: str, category: str | None, wanted: AlignLimit, scores: Scores) -> Limit:
    if wanted.min_percentile is not None:
        at = value_at(scores, wanted.min_percentile)
        return Limit(media, category, at, "min_percentile", wanted.min_percentile, len(scores))
    # As float32, the type of the scores: 0.3 must not lie above a score of 0.3.
    return Limit(media, category, float(np.float32(wanted.min_alignment)), "min_alignment", None, len(scores))
