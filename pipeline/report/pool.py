"""The seed pool's part of the page: the funnel, why assets were rejected, what was kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.report import read
from pipeline.report.draw import Draw
from pipeline.report.plots import Chart, Line, Series, Tally, histogram
from pipeline.report.thumbs import Picture, Place, Thumbnails
from pipeline.store.shards import Manifest, read_manifest

KEPT_TILES = 96
REJECTED_TILES = 96
MAX_CATEGORIES = 60
MAX_LINES = 5  # limits of categories drawn in a chart; the table below it has them all
_TILE = ["asset_id", "uri", "media", "width_px", "height_px", "start_s", "end_s"]


@dataclass(frozen=True)
class StageRow:
    """One line of the funnel; None where only the shards are left to count."""

    name: str
    rows_in: int | None
    rows_kept: int | None
    rejected: dict[str, int]
    seconds: float | None

    @property
    def lost(self) -> int:
        """Rows this stage rejected."""
        return sum(self.rejected.values())


@dataclass(frozen=True)
class CategoryRow:
    """A category's assets before and after rebalancing; `before` None: not recorded."""

    name: str
    medium: str  # empty where the counts do not tell media apart
    before: int | None
    after: int
    quota: int | None  # that rebalancing gave it; None where it had none


@dataclass(frozen=True)
class LimitRow:
    """The lowest alignment that stayed, of a medium or of a category that has its own."""

    medium: str
    category: str | None
    at: float
    percentile: float | None  # of its assets, where the limit was asked for so
    assets: int


@dataclass(frozen=True)
class Tile:
    """An asset in a grid: a kept one has knowledge, a rejected one a reason."""

    picture: Picture
    size: str
    category: str | None = None
    confidence: float | None = None
    description: str | None = None
    alignment: float | None = None
    reason: str | None = None
    stage: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class PoolView:
    """All that the template shows of the seed pool."""

    files: int
    kept: int
    kept_media: dict[str, int]
    rejected: int
    seconds: float | None
    stages: list[StageRow]
    reasons: list[tuple[str, int]]  # most frequent first
    sidecar_problems: dict[str, int]  # files by what is wrong with what came with them
    categories: list[CategoryRow]
    other_categories: int  # not shown
    target: str  # of rebalancing; "none" where it was off
    alignment: tuple[Chart, ...]  # one a medium
    limits: list[LimitRow]
    kept_tiles: list[Tile]
    rejected_tiles: list[Tile]
    manifest: Manifest

    @property
    def most_rows(self) -> int:
        """The widest part of the funnel."""
        return max([1, *(s.rows_kept + s.lost for s in self.stages if s.rows_kept is not None)])

    @property
    def widest(self) -> int:
        """The longest bar of the categories."""
        return max([1, *(max(c.before or 0, c.after) for c in self.categories)])


@dataclass
class _Scan:
    """What one narrow pass over kept and rejected rows counts."""

    uris: set[str]
    media: Counter[str]
    categories: Counter[str]
    reasons: Counter[str]
    by_stage: dict[str, Counter[str]]
    alignment: dict[str, tuple[Tally, Tally]]  # by medium: of kept and of misaligned assets
    kept: Draw
    rejected: Draw


def pool_view(out: Path, thumbs: Thumbnails) -> PoolView | None:
    """Read `<out>/seed_pool`; None before it was built. Raises DataError when it is damaged."""
    folder = out / "seed_pool"
    manifest = read_manifest(folder / "assets")
    if manifest is None or read_manifest(folder / "rejected") is None:
        return None
    scan = _scanned(folder)
    told = read.summary(folder)
    stages = _stages(told) or _stages_of_shards(scan)
    categories = _categories(told, scan.categories)
    limits = [
        LimitRow(limit["media"], limit["category"], limit["at"], limit["percentile"], limit["assets"])
        for limit in told.get("alignment_limits", [])
    ]
    kept = read.take(
        folder / "assets", scan.kept.chosen(), [*_TILE, "category", "category_confidence", "description", "alignment"]
    )
    lost = read.take(folder / "rejected", scan.rejected.chosen(), [*_TILE, "stage", "reason", "detail"])
    return PoolView(
        files=len(scan.uris),
        kept=scan.kept.seen,
        kept_media=dict(sorted(scan.media.items())),
        rejected=scan.rejected.seen,
        seconds=_total_seconds(told, stages),
        stages=stages,
        reasons=_ranked(scan.reasons),
        sidecar_problems=told.get("sidecar_problems", {}),
        categories=categories[:MAX_CATEGORIES],
        other_categories=max(0, len(categories) - MAX_CATEGORIES),
        target=str(read.setting(manifest.config, "seed_pool.rebalance.target") or "none"),
        alignment=tuple(_alignment(medium, scan, limits) for medium in sorted(scan.alignment)),
        limits=limits,
        kept_tiles=[_kept_tile(row, thumbs) for row in kept],
        rejected_tiles=[_rejected_tile(row, thumbs) for row in lost],
        manifest=manifest,
    )


def _scanned(folder: Path) -> _Scan:
    scan = _Scan(set(), Counter(), Counter(), Counter(), {}, {}, Draw(KEPT_TILES), Draw(REJECTED_TILES))
    for table in read.batches(folder / "assets", ["uri", "media", "start_s", "category", "alignment"]):
        media, category = table.column("media").to_pylist(), table.column("category").to_pylist()
        scan.media.update(media)
        scan.categories.update(f"{m}: {c}" for m, c in zip(media, category, strict=True))
        _align(scan, table, media, misaligned=False)
        _offer(scan, scan.kept, table, category)
    for table in read.batches(folder / "rejected", ["uri", "media", "start_s", "alignment", "stage", "reason"]):
        reasons = table.column("reason").to_pylist()
        scan.reasons.update(reasons)
        for stage, reason in zip(table.column("stage").to_pylist(), reasons, strict=True):
            scan.by_stage.setdefault(stage, Counter())[reason] += 1
        lost = table.filter(pa.array([r == "misaligned" for r in reasons], pa.bool_()))
        _align(scan, lost, lost.column("media").to_pylist(), misaligned=True)
        _offer(scan, scan.rejected, table, reasons)
    return scan


def _align(scan: _Scan, table: pa.Table, media: list[str], *, misaligned: bool) -> None:
    for medium in set(media):
        tallies = scan.alignment.setdefault(medium, (Tally(), Tally()))
        mine = table.filter(pa.array([m == medium for m in media], pa.bool_()))
        tallies[misaligned].add(_floats(mine, "alignment"))


def _offer(scan: _Scan, draw: Draw, table: pa.Table, groups: list[str]) -> None:
    uris = table.column("uri").to_pylist()
    scan.uris.update(uris)
    for group, uri, start in zip(groups, uris, table.column("start_s").to_pylist(), strict=True):
        draw.offer(group or "", f"{uri}|{start}", draw.seen)


def _floats(table: pa.Table, column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(table.column(column).drop_null().to_numpy(), dtype=np.float64)


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _stages(told: dict[str, Any]) -> list[StageRow]:
    """The funnel that the command wrote down."""
    rows = []
    for c in told.get("counts", []):
        rejected = dict(sorted(c["rejected"].items(), key=lambda item: (-item[1], item[0])))
        kept = c["rows_out"] - sum(rejected.values())
        rows.append(StageRow(c["stage"], c["rows_in"], kept, rejected, c.get("seconds")))
    return rows


def _stages_of_shards(scan: _Scan) -> list[StageRow]:
    return [StageRow(stage, None, None, dict(_ranked(c)), None) for stage, c in sorted(scan.by_stage.items())]


def _total_seconds(told: dict[str, Any], stages: list[StageRow]) -> float | None:
    if "seconds" in told:
        return float(told["seconds"])
    timed = [s.seconds for s in stages if s.seconds is not None]
    return sum(timed) if timed else None


def _categories(told: dict[str, Any], counted: Counter[str]) -> list[CategoryRow]:
    """By medium, largest first. What was kept is counted in the shards; what stood before only the summary knows."""
    before: dict[str, int] | None = told.get("category_before")
    if before is not None and not any(": " in name for name in before):
        counted = _without_medium(counted)
    names = set(counted) | set(before or {})
    quotas = {f"{q['media']}: {q['category']}": q["quota"] for q in told.get("quotas", [])}
    rows = []
    for name in names:
        medium, colon, category = name.partition(": ")
        old = None if before is None else before.get(name, 0)
        kept, quota = counted.get(name, 0), quotas.get(name)
        rows.append(CategoryRow(category if colon else name, medium if colon else "", old, kept, quota))
    return sorted(rows, key=lambda r: (r.medium, -(r.before or r.after), r.name))


def _without_medium(counted: Counter[str]) -> Counter[str]:
    merged: Counter[str] = Counter()
    for name, n in counted.items():
        merged[name.partition(": ")[2]] += n
    return merged


def _alignment(medium: str, scan: _Scan, limits: list[LimitRow]) -> Chart:
    """How a medium's alignment is spread, with its own limit and the lowest and highest of its categories'."""
    kept, lost = scan.alignment[medium]
    mine = [limit for limit in limits if limit.medium == medium]
    own = sorted((limit for limit in mine if limit.category), key=lambda limit: limit.at)
    drawn = [limit for limit in mine if not limit.category] + (own if len(own) <= MAX_LINES else [own[0], own[-1]])
    return histogram(
        f"Alignment of description and pixels, {medium}",
        "calibrated cosine",
        [Series("kept", "series-1", kept), Series("misaligned", "series-2", lost)],
        [Line(_line(limit), limit.at) for limit in drawn],
        stacked=True,
    )


def _line(limit: LimitRow) -> str:
    name = f"{limit.category.rpartition('/')[2]}: " if limit.category else ""
    how = "" if limit.percentile is None else f", lowest {limit.percentile:g} %"
    return f"{name}limit {limit.at:.3g}{how}"


def _place(row: dict[str, Any]) -> Place:
    return Place(row["uri"], row["media"] or "file", row["start_s"], row["end_s"])


def _size(row: dict[str, Any]) -> str:
    return f"{row['width_px']} × {row['height_px']}" if row["width_px"] and row["height_px"] else ""


def _kept_tile(row: dict[str, Any], thumbs: Thumbnails) -> Tile:
    return Tile(
        picture=thumbs.of(_place(row), asset_id=row["asset_id"]),
        size=_size(row),
        category=row["category"],
        confidence=row["category_confidence"],
        description=row["description"],
        alignment=row["alignment"],
    )


def _rejected_tile(row: dict[str, Any], thumbs: Thumbnails) -> Tile:
    # Of a whole video no frames were sampled; what no probe understood has a null medium.
    place = _place(row)
    if place.media == "video" and place.start_s is None:
        place = replace(place, media="whole video")
    picture = thumbs.of(place, asset_id=row["asset_id"])
    return Tile(picture, _size(row), reason=row["reason"], stage=row["stage"], detail=row["detail"])
