"""What a mined task says of itself: summary.json, for the closing table and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import MineSettings
from pipeline.mine.guards import hits_by_name
from pipeline.mine.hubness import hubness
from pipeline.mine.inputs import Task
from pipeline.mine.judgements import MINED
from pipeline.mine.mine_vectors import BINS, Histograms
from pipeline.mine.refine import KEPT
from pipeline.mine.settle import Part


@dataclass
class Tally:
    """Adds up the sub-datasets of a task as they are mined."""

    task: Task
    sub_datasets: list[dict[str, Any]] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    histograms: Histograms = field(default_factory=lambda: Histograms(*(np.zeros(BINS, np.int64) for _ in range(3))))
    positives: int = 0
    negatives: int = 0
    above_mean: int = 0
    without_negatives: int = 0
    fewer_negatives: int = 0
    random_negatives: int = 0

    def __post_init__(self) -> None:
        n = len(self.task.corpus)
        self.searched, self.recalled, self.used = np.zeros(n, bool), np.zeros(n, np.int64), np.zeros(n, np.int64)

    def add(self, part: Part, asked: int) -> None:
        """Count one mined sub-dataset. asked: negatives a query."""
        mined, refined = part.mined, part.mined.refined
        kept = refined.verdicts == KEPT
        negatives = refined.negatives
        self.hits.update(hits_by_name(refined.hits))
        self.histograms = self.histograms.plus(mined.histograms)
        self.positives += len(refined.positives.documents)
        self.negatives += len(negatives.documents)
        self.above_mean += int((negatives.scores > refined.mean[negatives.rows]).sum())
        self.without_negatives += int((kept & (np.diff(negatives.offsets) == 0)).sum())
        self.fewer_negatives += int((kept & (np.diff(negatives.offsets) < asked)).sum())
        source = self.task.judgements.codes_of(part.query_rows[negatives.rows], negatives.documents)
        self.random_negatives += int(((source == MINED) & (negatives.ranks == 0)).sum())
        self.searched[part.document_rows] = True
        self.recalled[part.document_rows] += mined.recalled
        self.used += np.bincount(negatives.documents, minlength=len(self.used))
        self.sub_datasets.append(
            {
                "task_type": part.task_type,
                "language": part.language,
                "instruction": self.task.instructions[part.task_type],
                "queries": len(part.query_rows),
                "documents": len(part.document_rows),
                "kept": int(kept.sum()),
                "recall_at_k": mined.recall_at_k,
            }
        )

    def summary(self, settings: MineSettings, train: pa.Table, rejected: pa.Table) -> dict[str, Any]:
        """The counts and distributions of the whole task."""
        return {
            "task": self.task.name,
            "queries": len(self.task.queries),
            "kept": len(train),
            "rejected": by_reason(rejected),
            "positives": self.positives,
            "negatives": self.negatives,
            "without_negatives": self.without_negatives,
            "fewer_negatives": self.fewer_negatives,
            "random_negatives": self.random_negatives,
            "negatives_above_positive_mean": self.above_mean / self.negatives if self.negatives else 0.0,
            "guard_hits": dict(self.hits),
            "hubness": {
                "recalled": hubness(self.recalled[self.searched]),
                "negatives": hubness(self.used[self.searched]),
            },
            "t_pos": settings.t_pos,
            "rule": list(settings.rule),
            "margin": settings.margin,
            "top_k": settings.top_k,
            "max_negatives": settings.negatives,
            "sub_datasets": self.sub_datasets,
            "histogram": {
                "low": -1.0,
                "high": 1.0,
                "bins": BINS,
                "positives": self.histograms.positives.tolist(),
                "negatives": self.histograms.negatives.tolist(),
                "recalled": self.histograms.recalled.tolist(),
            },
        }


def by_reason(rejected: pa.Table) -> dict[str, int]:
    """Rows of a `rejected` table by reason, in the order of the codes."""
    found: Sequence[dict[str, Any]] = pc.value_counts(rejected.column("reason")).to_pylist()
    return {c["values"]: c["counts"] for c in sorted(found, key=lambda c: str(c["values"]))}
