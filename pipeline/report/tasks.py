"""The part of the page on synthesis: what each task wrote, and three examples to read."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from pipeline.report import read
from pipeline.report.documents import CONTENT, Judged, Shown, learn, shown
from pipeline.report.draw import Draw
from pipeline.report.thumbs import Thumbnails
from pipeline.store.shards import Manifest

EXAMPLES = 3
SHOWN_DOCUMENTS = 2  # positives, and explicit negatives, of an example


@dataclass(frozen=True)
class Example:
    """One synthesised query with its labelled documents."""

    query: Shown
    task_type: str
    language: str
    positives: list[Judged]
    negatives: list[Judged]


@dataclass(frozen=True)
class Agreement:
    """How often a judge agreed with the examples of a task type."""

    task_type: str
    judged: int
    agreed: int
    found: list[tuple[str, int]]  # of the others, by reason


@dataclass(frozen=True)
class TaskView:
    """All that the template shows of one synthesised task."""

    name: str
    queries: int
    corpus: int
    positives: int
    negatives: int  # explicit ones
    by_type: list[tuple[str, str, int]]  # task type, language, queries; most first
    rejected: list[tuple[str, int]]
    verified: list[Agreement]  # empty where nothing was verified
    examples: list[Example]
    manifest: Manifest

    @property
    def lost(self) -> int:
        """Assets that gave no query."""
        return sum(n for _, n in self.rejected)


def task_views(out: Path, thumbs: Thumbnails) -> list[TaskView]:
    """Read every complete task of `<out>/synth`, by name. Raises DataError when one is damaged."""
    return [
        _task(out / "synth" / name, manifest, thumbs) for name, manifest in read.data_sets(out / "synth", "queries")
    ]


def _task(folder: Path, manifest: Manifest, thumbs: Thumbnails) -> TaskView:
    types: Counter[tuple[str, str]] = Counter()
    draw = Draw(EXAMPLES)
    for table in read.batches(folder / "queries", ["query_id", "task_type", "language"]):
        columns = [table.column(c).to_pylist() for c in ("query_id", "task_type", "language")]
        for query_id, task_type, language in zip(*columns, strict=True):
            types[task_type or "", language or ""] += 1
            draw.offer(f"{task_type}|{language}", query_id, draw.seen)
    labels: Counter[int] = Counter()
    for table in read.batches(folder / "relevance", ["relevance"]):
        labels.update(table.column("relevance").to_pylist())
    reasons: Counter[str] = Counter()
    for table in read.batches(folder / "rejected", ["reason"]):
        reasons.update(table.column("reason").to_pylist())
    rows = read.take(folder / "queries", draw.chosen(), ["query_id", *CONTENT, "task_type", "language"])
    return TaskView(
        name=folder.name,
        queries=draw.seen,
        corpus=sum(len(t) for t in read.batches(folder / "corpus", ["doc_id"])),
        positives=labels[1],
        negatives=labels[0],
        by_type=sorted(((t, lang, n) for (t, lang), n in types.items()), key=lambda r: (-r[2], r[0], r[1])),
        rejected=sorted(reasons.items(), key=lambda r: (-r[1], r[0])),
        verified=_verified(folder),
        examples=_examples(folder, rows, manifest, thumbs),
        manifest=manifest,
    )


def _verified(folder: Path) -> list[Agreement]:
    found = read.summary(folder).get("verify") or {}
    return [
        Agreement(name, n["judged"], n["agreed"], [(r, c) for r, c in n.items() if r not in ("judged", "agreed") and c])
        for name, n in found.items()
    ]


def _examples(folder: Path, queries: list[dict[str, Any]], manifest: Manifest, thumbs: Thumbnails) -> list[Example]:
    ids = read.strings(q["query_id"] for q in queries)
    judged: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for table in read.batches(folder / "relevance", ["query_id", "doc_id", "relevance", "source"]):
        for row in table.filter(pc.is_in(table.column("query_id"), value_set=ids)).to_pylist():
            labelled = judged[row["query_id"], row["relevance"]]
            if len(labelled) < SHOWN_DOCUMENTS:
                labelled.append(row)
    wanted = read.strings({row["doc_id"] for rows in judged.values() for row in rows})
    corpus: dict[str, dict[str, Any]] = {}
    for table in read.batches(folder / "corpus", ["doc_id", *CONTENT]):
        found = table.filter(pc.is_in(table.column("doc_id"), value_set=wanted))
        corpus |= {row["doc_id"]: row for row in found.to_pylist()}
    learn([*queries, *corpus.values()], thumbs)
    root = manifest.media_root

    def documents(query_id: str, relevance: int) -> list[Judged]:
        return [
            Judged(shown(corpus[row["doc_id"]], thumbs, root), relevance == 1, row["source"])
            for row in judged[query_id, relevance]
            if row["doc_id"] in corpus
        ]

    return [
        Example(
            shown(q, thumbs, root),
            q["task_type"] or "",
            q["language"] or "",
            documents(q["query_id"], 1),
            documents(q["query_id"], 0),
        )
        for q in queries
    ]
