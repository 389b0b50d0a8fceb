"""What another round of mining has changed: the rows of the round before, held against what a newer model says.

Mining is a loop (PAPER 3.3): a model that was trained on one round mines the next. Queries come and go, negatives turn
out to be right answers, positives fall below t+. Two rounds with equal rows differ by nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import Calibration
from pipeline.errors import UsageError
from pipeline.mine.embed import Embedded
from pipeline.mine.inputs import Task
from pipeline.mine.ragged import Ints
from pipeline.mine.top_k import pair_scores
from pipeline.models.calibrate import apply
from pipeline.store.shards import read_dataset, read_manifest

# query_id and doc_id [P] -> calibrated scores float32 [P]; NaN where either is no longer there or was not embedded.
PairScores = Callable[[pa.Array, pa.Array], NDArray[np.float32]]
_OF_TRAIN = ("query_id", "positives", "negatives", "positive_mean")


@dataclass(frozen=True)
class Round:
    """What one round of mining a task has left: columns of TRAIN and of MINE_REJECTED."""

    train: pa.Table
    rejected: pa.Table


@dataclass(frozen=True)
class Changes:
    """From a round to the next. Counts are of queries, or of (query, document) pairs."""

    kept_before: int  # queries
    kept_now: int
    gained: int  # kept now, not kept before
    lost: int  # kept before, not kept now
    lost_by_reason: dict[str, int]  # `gone`: no query of the data set any more
    positives: int  # refined positives of the round before that have a score now
    positives_fallen: int  # of them, those that do not score above t+ now
    negatives: int  # of the round before, of queries kept in both, that have a score now
    negatives_risen: int  # of them, those that scored below the mean positive before and do not now
    negatives_again: int  # of `negatives`, those that were chosen again

    @property
    def as_json(self) -> dict[str, Any]:
        """For summary.json."""
        return asdict(self)


def read_round(mined: Path, task: str) -> Round:
    """The round before of a task, from `mined` (`<out>/mined`) or from the task's own folder in it.

    Raises UsageError where neither holds one.
    """
    for folder in (mined / task, mined):
        if read_manifest(folder / "train") and read_manifest(folder / "rejected"):
            train = read_dataset(folder / "train", list(_OF_TRAIN))
            return Round(train, read_dataset(folder / "rejected", ["query_id", "reason"]))
    raise UsageError(f"--previous {mined} holds no mined {task}; it names the OUT/mined of the round before")


def changes(before: Round, now: Round, scores: PairScores, t_pos: float) -> Changes:
    """Compare two rounds of one task. scores: by the model of the round `now`; t_pos: its own."""
    ids_before, ids_now = (_one(r.train.column("query_id")) for r in (before, now))
    lost = ids_before.filter(pc.invert(pc.is_in(ids_before, ids_now)))
    positives, negatives = _pairs(before.train, "positives"), _pairs(before.train, "negatives")
    of_positives = scores(positives.column("query_id"), positives.column("doc_id"))
    judged = negatives.filter(pc.is_in(negatives.column("query_id"), ids_now))
    of_negatives = scores(judged.column("query_id"), judged.column("doc_id"))
    rose = (judged.column("score").to_numpy() < _means(before, judged)) & (of_negatives >= _means(now, judged))
    known = ~np.isnan(of_negatives)
    chosen = _pairs(now.train, "negatives")
    again = np.asarray(pc.is_in(_names(judged), _names(chosen)).to_numpy(zero_copy_only=False), bool)
    return Changes(
        kept_before=len(ids_before),
        kept_now=len(ids_now),
        gained=len(ids_now) - int(pc.sum(pc.is_in(ids_now, ids_before)).as_py() or 0),
        lost=len(lost),
        lost_by_reason=_reasons(lost, now.rejected),
        positives=int((~np.isnan(of_positives)).sum()),
        positives_fallen=int((of_positives <= t_pos).sum()),
        negatives=int(known.sum()),
        negatives_risen=int(rose.sum()),
        negatives_again=int((again & known).sum()),
    )


def scores_by_id(task: Task, queries: Embedded, corpus: Embedded, calibration: Calibration) -> PairScores:
    """Scores by the vectors of this round."""
    known = _one(task.queries.column("query_id")), _one(task.corpus.column("doc_id"))

    def scores(query_ids: pa.Array, doc_ids: pa.Array) -> NDArray[np.float32]:
        at = [_rows(ids, names) for ids, names in zip((query_ids, doc_ids), known, strict=True)]
        there = (at[0] >= 0) & (at[1] >= 0)
        there[there] = queries.readable[at[0][there]] & corpus.readable[at[1][there]]
        found = np.full(len(there), np.nan, np.float32)
        found[there] = apply(calibration, pair_scores(queries.vectors, corpus.vectors, at[0][there], at[1][there]))
        return found

    return scores


def _rows(ids: pa.Array, known: pa.Array) -> Ints:
    """Where each id stands, int64 [P]; -1 for one that does not."""
    return np.asarray(pc.fill_null(_one(pc.index_in(ids, known)), -1).to_numpy(), np.int64)


def _means(of: Round, pairs: pa.Table) -> NDArray[np.float32]:
    """The mean positive of each pair's query, which the round has kept, float32 [P]."""
    at = pc.index_in(pairs.column("query_id"), _one(of.train.column("query_id")))
    means: NDArray[np.float32] = _one(of.train.column("positive_mean")).take(_one(at)).to_numpy(zero_copy_only=False)
    return means


def _reasons(lost: pa.Array, rejected: pa.Table) -> dict[str, int]:
    at = pc.index_in(lost, _one(rejected.column("query_id")))
    reasons = pc.fill_null(_one(rejected.column("reason")).take(at), "gone").to_pylist()
    return dict(sorted(Counter(reasons).items()))


def _pairs(train: pa.Table, column: str) -> pa.Table:
    """query_id, doc_id and score of each document of a list column."""
    lists = _one(train.column(column))
    rows = pc.list_parent_indices(lists)
    return pa.table(
        {
            "query_id": _one(train.column("query_id")).take(rows),
            **{name: pc.struct_field(pc.list_flatten(lists), name) for name in ("doc_id", "score")},
        }
    ).combine_chunks()


def _names(pairs: pa.Table) -> pa.Array:
    """One text a pair; ids hold no NUL."""
    return _one(pc.binary_join_element_wise(pairs.column("query_id"), pairs.column("doc_id"), "\0"))


def _one(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
