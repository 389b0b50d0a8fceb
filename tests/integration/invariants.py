"""The files-on-disk contract (docs/architecture.md), stated as assertions on an output folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.synth.tasks import TASKS
from pipeline.text import normalised

Row = dict[str, Any]


def rows(folder: Path) -> list[Row]:
    """All rows of a data set, whose manifest must agree with its shards."""
    manifest = json.loads((folder / "_manifest.json").read_text())
    assert manifest["complete"] is True
    parts = sorted(folder.glob("part-*.parquet"))
    assert parts
    assert {p.name for p in folder.iterdir()} == {"_manifest.json", *(p.name for p in parts)}
    found = [r for p in parts for r in pq.read_table(p).to_pylist()]
    assert manifest["rows"] == len(found)
    return found


def unique(values: Iterable[Any]) -> set[Any]:
    """The values, of which none stands twice."""
    listed = list(values)
    assert len(set(listed)) == len(listed)
    return set(listed)


def check_pool(out: Path, found: set[str]) -> None:
    """Kept and rejected together are everything found."""
    assets, rejected = rows(out / "seed_pool/assets"), rows(out / "seed_pool/rejected")
    unique(a["asset_id"] for a in assets)
    unique((r["uri"], r["start_s"], r["end_s"]) for r in [*assets, *rejected])
    assert {r["uri"] for r in [*assets, *rejected]} == found
    assert all(r["stage"] and r["reason"].replace("_", "").isalnum() and r["detail"] for r in rejected)
    for a in assets:
        assert a["category"]
        assert a["description"]
        assert 0 <= a["category_confidence"] <= 1
        assert -1 <= a["alignment"] <= 1
        assert (a["start_s"] is not None) == (a["media"] == "video")


def check_task(out: Path, task: str) -> None:
    """Every asset has a query or a reject; every query a positive; no text stands twice."""
    folder = out / "synth" / task
    queries, corpus, relevance = (rows(folder / n) for n in ("queries", "corpus", "relevance"))
    media = TASKS[task].medium
    due = {a["asset_id"] for a in rows(out / "seed_pool/assets") if a["media"] == media}
    assert due == {r["asset_id"] for r in [*queries, *rows(folder / "rejected")]}
    query_ids, doc_ids = unique(q["query_id"] for q in queries), unique(d["doc_id"] for d in corpus)
    unique((d["task_type"], d["language"], normalised(d["text"])) for d in corpus if d["text"])
    judged = unique((r["query_id"], r["doc_id"]) for r in relevance)
    undecided = unique((r["query_id"], r["doc_id"]) for r in rows(folder / "undecided"))
    assert not judged & undecided
    assert {q for q, _ in judged | undecided} <= query_ids
    assert {d for _, d in judged | undecided} <= doc_ids
    assert {r["query_id"] for r in relevance if r["relevance"] == 1} == query_ids


def check_mined(out: Path, task: str, t_pos: float, margin: float) -> int:
    """The rule of PAPER 3.3 holds in every row, no negative is a positive in disguise; returns the rows kept."""
    train, rejected = rows(out / "mined" / task / "train"), rows(out / "mined" / task / "rejected")
    synth = out / "synth" / task
    assert unique(r["query_id"] for r in [*train, *rejected]) == {q["query_id"] for q in rows(synth / "queries")}
    undecided = {(r["query_id"], r["doc_id"]) for r in rows(synth / "undecided")}
    relevance = rows(synth / "relevance")
    labelled = {(r["query_id"], r["doc_id"]) for r in relevance if r["relevance"] == 1}
    for r in train:
        positives, negatives = r["positives"], r["negatives"]
        mean = sum(p["score"] for p in positives) / len(positives)
        assert r["positive_mean"] == pytest.approx(mean, abs=1e-5)
        assert all(p["score"] > t_pos and p["rank"] >= 1 for p in positives)
        assert all(n["score"] < mean + margin + 1e-6 for n in negatives)
        scores = [n["score"] for n in negatives]
        assert scores == sorted(scores, reverse=True)
        taken = unique(n["doc_id"] for n in negatives)
        assert not {(r["query_id"], d) for d in taken} & (labelled | undecided)
        assert not {n["group_id"] for n in negatives} & {p["group_id"] for p in positives}
        for n in negatives:
            for p in positives:
                files = [c["image"] or c["video"] for c in (n["content"], p["content"])]
                if files[0] is not None and files[0] == files[1]:
                    assert task == "moment_retrieval"
                    a, b = n["content"], p["content"]
                    assert a["start_s"] > b["end_s"] or a["end_s"] < b["start_s"]
    return len(train)
