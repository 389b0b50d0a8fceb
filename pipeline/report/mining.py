"""The part of the page on mining: which queries stayed, how scores lie, and cards to judge by eye."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.report import read
from pipeline.report.documents import Judged, Shown, learn, shown
from pipeline.report.draw import Draw
from pipeline.report.plots import Chart, Line, Series, Tally, histogram
from pipeline.report.thumbs import Thumbnails
from pipeline.store.shards import Manifest, read_manifest

CARDS = 12
SHOWN_NEGATIVES = 6
SHOWN_POSITIVES = 3
MAX_CHARTS = 12
SCORES = ["task_type", "language", "query_id", "positive_mean"]
CARD = ["query_id", "instruction", "query", "positives", "negatives", "positive_mean", "task_type", "language"]

Floats = NDArray[np.float64]
SubDataset = tuple[str, str]  # task type, language


@dataclass
class SubRow:
    """What mining kept of one sub-dataset, and the scores in it."""

    task_type: str
    language: str
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    negatives: int = 0
    above: int = 0  # negatives that score above their query's mean positive
    without: int = 0  # queries left without a negative
    positive_scores: Tally = field(default_factory=Tally)
    negative_scores: Tally = field(default_factory=Tally)
    gaps: Tally = field(default_factory=lambda: Tally(-2.0, 2.0))

    @property
    def lost(self) -> int:
        """Queries rejected."""
        return sum(self.rejected.values())


@dataclass(frozen=True)
class Card:
    """One mined query, its positives and its hardest negatives."""

    query: Shown
    instruction: str
    task_type: str
    language: str
    positive_mean: float
    documents: list[Judged]
    more_positives: int
    more_negatives: int


@dataclass(frozen=True)
class Hubs:
    """How unevenly documents stand in a kind of list (docs/mining.md)."""

    lists: str
    skewness: float
    largest: int
    never: float  # 0..1


@dataclass(frozen=True)
class MineView:
    """All that the template shows of one mined task."""

    name: str
    t_pos: float | None
    margin: float | None
    subs: list[SubRow]
    reasons: list[tuple[str, int]]
    guards: list[tuple[str, int]] | None  # None: not recorded
    hubs: list[Hubs]  # empty: not recorded
    scores: Chart | None
    gaps: Chart | None
    charts: list[Chart]  # scores by sub-dataset, where there are several
    cards: list[Card]
    manifest: Manifest

    @property
    def kept(self) -> int:
        """Training rows."""
        return sum(s.kept for s in self.subs)

    @property
    def lost(self) -> int:
        """Queries rejected."""
        return sum(s.lost for s in self.subs)

    @property
    def negatives(self) -> int:
        """Hard negatives in all rows."""
        return sum(s.negatives for s in self.subs)

    @property
    def above(self) -> int:
        """Negatives that score above their query's mean positive."""
        return sum(s.above for s in self.subs)

    @property
    def without(self) -> int:
        """Rows without a negative."""
        return sum(s.without for s in self.subs)


def mine_views(out: Path, thumbs: Thumbnails) -> list[MineView]:
    """Read every complete task of `<out>/mined`, by name. Raises DataError when one is damaged."""
    return [_mined(out, name, manifest, thumbs) for name, manifest in read.data_sets(out / "mined", "train")]


def _mined(out: Path, name: str, manifest: Manifest, thumbs: Thumbnails) -> MineView:
    folder = out / "mined" / name
    subs: dict[SubDataset, SubRow] = {}
    draw = Draw(CARDS)
    columns = [*SCORES, "positives.list.element.score", "negatives.list.element.score"]
    for table in read.batches(folder / "train", columns, rows=2048):
        _count(table, subs, draw)
    summary = read.summary(folder)
    elsewhere = summary.get("data_set")  # where its queries lie, for a data set that synth did not make
    reasons = _rejected(folder / "rejected", out / (elsewhere or f"synth/{name}") / "queries", subs)
    rows = sorted(subs.values(), key=lambda s: (s.task_type, s.language))
    t_pos, margin = (read.setting(manifest.config, f"mine.{key}") for key in ("t_pos", "margin"))
    several = [s for s in rows if s.kept] if sum(s.kept > 0 for s in rows) > 1 else []
    return MineView(
        name=name,
        t_pos=t_pos,
        margin=margin,
        subs=rows,
        reasons=sorted(reasons.items(), key=lambda r: (-r[1], r[0])),
        guards=_guards(summary),
        hubs=_hubs(summary),
        scores=_score_chart("Scores of positives and hard negatives", rows, t_pos),
        gaps=_gap_chart(rows, margin),
        charts=[c for s in several[:MAX_CHARTS] if (c := _score_chart(_title(s), [s], t_pos)) is not None],
        cards=_cards(folder, draw.chosen(), manifest, thumbs, of_pool=elsewhere is None),
        manifest=manifest,
    )


def _title(sub: SubRow) -> str:
    return f"{sub.task_type}, {sub.language}" if sub.language else sub.task_type


def _sub(subs: dict[SubDataset, SubRow], task_type: str | None, language: str | None) -> SubRow:
    key = (task_type or "", language or "")
    return subs.setdefault(key, SubRow(*key))


def _scores(table: pa.Table, column: str) -> tuple[NDArray[np.int64], Floats]:
    """Flat scores of a list column [J], and the row of each."""
    lists = table.column(column).combine_chunks()
    flat = pc.list_flatten(lists)
    rows = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    return rows, pc.struct_field(flat, "score").to_numpy(zero_copy_only=False).astype(np.float64)


def _count(table: pa.Table, subs: dict[SubDataset, SubRow], draw: Draw) -> None:
    """Add one batch of train rows to the counts of their sub-datasets."""
    types, languages = table.column("task_type").to_pylist(), table.column("language").to_pylist()
    mean = table.column("positive_mean").to_numpy().astype(np.float64)
    positive_row, positive = _scores(table, "positives")
    negative_row, negative = _scores(table, "negatives")
    gap = negative - mean[negative_row]
    per_row = np.bincount(negative_row, minlength=len(table))
    members: dict[SubDataset, list[int]] = {}
    for i, (task_type, language, query_id) in enumerate(
        zip(types, languages, table.column("query_id").to_pylist(), strict=True)
    ):
        members.setdefault((task_type or "", language or ""), []).append(i)
        draw.offer(f"{task_type}|{language}", query_id, draw.seen)
    for key, rows in members.items():
        sub = _sub(subs, *key)
        inside = np.zeros(len(table), bool)
        inside[rows] = True
        sub.kept += len(rows)
        sub.negatives += int(per_row[inside].sum())
        sub.without += int((per_row[inside] == 0).sum())
        sub.above += int((gap[inside[negative_row]] > 0).sum())
        sub.positive_scores.add(positive[inside[positive_row]])
        sub.negative_scores.add(negative[inside[negative_row]])
        sub.gaps.add(gap[inside[negative_row]])


def _rejected(folder: Path, queries: Path, subs: dict[SubDataset, SubRow]) -> Counter[str]:
    """Count rejected queries by reason, and add them to the sub-datasets that `queries` puts them in."""
    reason_of: dict[str, str] = {}
    for table in read.batches(folder, ["query_id", "reason"]):
        reason_of |= dict(zip(table.column("query_id").to_pylist(), table.column("reason").to_pylist(), strict=True))
    reasons = Counter(reason_of.values())
    if reason_of and read_manifest(queries) is not None:
        ids = read.strings(reason_of)
        for table in read.batches(queries, ["query_id", "task_type", "language"]):
            for row in table.filter(pc.is_in(table.column("query_id"), value_set=ids)).to_pylist():
                _sub(subs, row["task_type"], row["language"]).rejected[reason_of.pop(row["query_id"])] += 1
    if reason_of:  # rows that could not be read as queries, or a data set that is no longer where it was
        _sub(subs, "not among the queries of the data set", None).rejected.update(reason_of.values())
    return reasons


def _guards(told: dict[str, Any]) -> list[tuple[str, int]] | None:
    """Hits of each guard; where a summary counts them by sub-dataset, their sums."""
    if "guard_hits" not in told:
        return None
    hits: Counter[str] = Counter()
    for name, value in told["guard_hits"].items():
        hits.update(value if isinstance(value, dict) else {name: value})
    return sorted(hits.items(), key=lambda h: (-h[1], h[0]))


def _hubs(told: dict[str, Any]) -> list[Hubs]:
    """What was recalled, then what became of it."""
    known = told.get("hubness", {})
    lists = {"recalled": "what was recalled", "negatives": "the negatives"}
    return [
        Hubs(words, known[key]["n_k_skewness"], known[key]["largest"], known[key]["never"])
        for key, words in lists.items()
        if key in known
    ]


def _merged(tallies: list[Tally]) -> Tally:
    whole = Tally(tallies[0].low, tallies[0].low + len(tallies[0].counts) * Tally.fine)
    whole.counts = np.sum([t.counts for t in tallies], axis=0)
    return whole


def _score_chart(title: str, rows: list[SubRow], t_pos: float | None) -> Chart | None:
    if not any(s.kept for s in rows):
        return None
    series = [
        Series("hard negatives", "series-2", _merged([s.negative_scores for s in rows])),
        Series("positives", "series-1", _merged([s.positive_scores for s in rows])),
    ]
    return histogram(
        title, "score (calibrated cosine)", series, [] if t_pos is None else [Line(f"t+ {t_pos:g}", t_pos)]
    )


def _gap_chart(rows: list[SubRow], margin: float | None) -> Chart | None:
    if not any(s.negatives for s in rows):
        return None
    lines = [Line("mean positive", 0.0), *([] if not margin else [Line(f"margin {margin:+g}", margin)])]
    series = [Series("hard negatives", "series-2", _merged([s.gaps for s in rows]))]
    return histogram("How near negatives come to the positives", "score − mean positive of the query", series, lines)


def _cards(folder: Path, positions: list[int], manifest: Manifest, thumbs: Thumbnails, of_pool: bool) -> list[Card]:
    rows = read.take(folder / "train", positions, CARD)
    if of_pool:
        learn([c for r in rows for c in (r["query"], *(d["content"] for d in _documents(r)))], thumbs)
    # Hardest first: what a reader should doubt stands at the top.
    rows.sort(
        key=lambda r: (-max((d["score"] - r["positive_mean"] for d in r["negatives"]), default=-9.0), r["query_id"])
    )
    return [_card(row, manifest.media_root, thumbs, of_pool) for row in rows]


def _documents(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [*row["positives"][:SHOWN_POSITIVES], *row["negatives"][:SHOWN_NEGATIVES]]


def _card(row: dict[str, Any], media_root: str | None, thumbs: Thumbnails, of_pool: bool) -> Card:
    positives, negatives = row["positives"], row["negatives"]
    return Card(
        query=shown(row["query"], thumbs, media_root, of_pool),
        instruction=row["instruction"],
        task_type=row["task_type"] or "",
        language=row["language"] or "",
        positive_mean=row["positive_mean"],
        documents=[
            Judged(
                content=shown(d["content"], thumbs, media_root, of_pool),
                positive=i < min(len(positives), SHOWN_POSITIVES),
                source=d["source"],
                score=d["score"],
                rank=d["rank"],
                above=i >= min(len(positives), SHOWN_POSITIVES) and d["score"] > row["positive_mean"],
            )
            for i, d in enumerate(_documents(row))
        ],
        more_positives=max(0, len(positives) - SHOWN_POSITIVES),
        more_negatives=max(0, len(negatives) - SHOWN_NEGATIVES),
    )
