"""The core of mining: one sub-dataset's vectors in, positives and hard negatives out. No files, no models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.config import Calibration, MineSettings
from pipeline.mine.fill import Lottery, filled
from pipeline.mine.guards import NEAR_POSITIVE, Guards
from pipeline.mine.judgements import Judgements
from pipeline.mine.keys import Marks
from pipeline.mine.near_positive import near_positives
from pipeline.mine.pool import FREE, Judged
from pipeline.mine.ragged import Bools, Ints, Ragged
from pipeline.mine.recall import Recall
from pipeline.mine.refine import KEPT, Candidates, Refined, Rule, refine
from pipeline.mine.top_k import Scores, TopK, pair_scores
from pipeline.models.calibrate import apply
from pipeline.models.protocols import Vectors
from pipeline.stage import Runner

BINS = 40  # of the score histograms, over -1..1
LENGTH_TOLERANCE = 1e-3
CHECKED_AT_ONCE = 16_384


@dataclass(frozen=True)
class SubDataset:
    """One relevance criterion: task x task type x language. Positions are those of the task's
    tables; row i of `queries` is query `query_rows[i]`, likewise the corpus."""

    queries: Vectors  # [Q, dim], of length 1
    corpus: Vectors  # [N, dim], of length 1, float32 or float16, perhaps mapped from a file
    query_rows: Ints  # [Q]
    document_rows: Ints  # [N], rising


@dataclass(frozen=True)
class Histograms:
    """Counts of calibrated scores in BINS equal bins over -1..1."""

    positives: Ints  # labelled ones, recalled or not
    negatives: Ints  # those kept
    recalled: Ints

    def plus(self, other: Histograms) -> Histograms:
        """The counts of both."""
        return Histograms(
            self.positives + other.positives, self.negatives + other.negatives, self.recalled + other.recalled
        )


@dataclass(frozen=True)
class Mined:
    """The rule's word on each query of a sub-dataset, documents as positions in the task's corpus."""

    refined: Refined
    labelled_best: Scores  # [Q], best score of the labelled positives that can be searched; NaN without one
    histograms: Histograms
    recalled: Ints  # [N], how many queries recalled each document of the sub-dataset
    recall_at_k: float | None = None  # share of the exact top-K that an index found; None of an exact search

    def with_refined(self, refined: Refined) -> Mined:
        """The same with other lists."""
        return replace(
            self, refined=refined, histograms=replace(self.histograms, negatives=_histogram(refined.negatives.scores))
        )


def mine_vectors(
    data: SubDataset,
    judgements: Judgements,
    guards: Guards,
    settings: MineSettings,
    calibration: Calibration,
    run: Runner,
    marks: Marks | None = None,
) -> Mined:
    """Recall, calibrate, guard and refine, `settings.query_block` queries at a time. Memory beside
    the input: what is kept of all queries, and the top-K of one block.

    marks: of the whole task, for settings that draw or compare documents. Where the task has the last
    word on negatives (`Picking.proposed`), they are more than were asked for and in order of preference.
    Raises ValueError when a vector is not finite or not of length 1.
    """
    for name, vectors in (("query", data.queries), ("document", data.corpus)):
        check_vectors(name, vectors)
    recall, blocks = Recall(run, data.corpus, settings), []
    for block in _blocks(data, settings):
        found = recall.top_k(data.queries[block])
        blocks.append(_mine_block(data, block, found, judgements, guards, settings, calibration, marks))
    return _concatenated(blocks, recall.measured(data.queries))


def check_vectors(name: str, vectors: Vectors) -> None:
    """Raise ValueError, naming the row, when a vector is not finite or not of length 1."""
    for start in range(0, len(vectors), CHECKED_AT_ONCE):
        some = vectors[start : start + CHECKED_AT_ONCE].astype(np.float32, copy=False)
        lengths = np.sqrt(np.einsum("nd,nd->n", some, some))
        bad = np.flatnonzero(~(np.abs(lengths - 1) <= LENGTH_TOLERANCE))
        if len(bad):
            raise ValueError(
                f"{name} vector {start + bad[0]} has length {lengths[bad[0]]}; normalise vectors to length 1"
            )


def _blocks(data: SubDataset, settings: MineSettings) -> Iterator[slice]:
    for start in range(0, max(1, len(data.queries)), settings.query_block):
        yield slice(start, start + settings.query_block)


def _mine_block(
    data: SubDataset,
    block: slice,
    found: TopK,
    judgements: Judgements,
    guards: Guards,
    settings: MineSettings,
    calibration: Calibration,
    marks: Marks | None,
) -> Mined:
    queries, rows, local = data.queries[block], data.query_rows[block], found.positions
    there = local >= 0
    positions = np.where(there, data.document_rows[local] if len(data.document_rows) else -1, -1)
    top = TopK(_calibrated(calibration, found.scores), positions)
    labelled, labelled_scores = _scored(data, queries, judgements.positives.take(rows), calibration)
    explicit, explicit_scores = _scored(data, queries, judgements.negatives.take(rows), calibration)
    blocked = np.full(positions.shape, FREE, np.uint8)
    blocked[there] = guards.codes(np.repeat(rows, there.sum(axis=1)), positions[there])
    if settings.guards.near_positive_share:
        close = _close(data, found, labelled, explicit, settings.guards.near_positive_share)
        blocked[close & (blocked == FREE)] = NEAR_POSITIVE
    candidates = Candidates(
        top,
        labelled,
        explicit,
        explicit_scores,
        blocked,
        guards.codes(rows[explicit.rows], explicit.values),
        None if marks is None else marks.query[rows],
        marks,
    )
    rule = Rule.of(settings)
    refined = refine(candidates, rule)
    drawn = settings.fill == "random"
    if drawn:
        refined = _filled(refined, candidates, rule, data, queries, rows, guards, calibration)
    if rule.picking.proposed is None and (drawn or not rule.picking.hardest):
        refined = replace(refined, negatives=refined.negatives.hardest_first())
    best = np.full(len(rows), -np.inf, np.float32)
    np.maximum.at(best, labelled.rows, labelled_scores)
    histograms = Histograms(*(_histogram(s) for s in (labelled_scores, refined.negatives.scores, top.scores[there])))
    recalled = np.bincount(local[there], minlength=len(data.document_rows)).astype(np.int64)
    return Mined(refined, np.where(np.isfinite(best), best, np.float32(np.nan)), histograms, recalled)


def _close(data: SubDataset, found: TopK, labelled: Ragged, explicit: Ragged, share: float) -> Bools:
    """Recalled documents, bool [Q, K], among those nearest to a positive and not judged irrelevant."""
    positives, judged = (Ragged(r.offsets, np.searchsorted(data.document_rows, r.values)) for r in (labelled, explicit))
    close = near_positives(data.corpus, found.positions, positives, share)
    rows, columns = np.nonzero(close)
    close[rows, columns] = ~judged.holds(rows, found.positions[rows, columns])
    return close


def _filled(
    refined: Refined,
    candidates: Candidates,
    rule: Rule,
    data: SubDataset,
    queries: Vectors,
    rows: Ints,
    guards: Guards,
    calibration: Calibration,
) -> Refined:
    """Random negatives for the kept queries of a block that have too few."""
    if candidates.keys is None:
        raise ValueError("random negatives need the keys of the queries")
    recalled = candidates.recalled.positions
    known = Ragged.from_pairs(np.nonzero(recalled >= 0)[0].astype(np.int64), recalled[recalled >= 0], len(rows))
    taken = known.plus(candidates.labelled).plus(candidates.explicit)

    def score(query: Ints, document: Ints) -> Scores:
        at = np.searchsorted(data.document_rows, document)
        return _calibrated(calibration, pair_scores(queries, data.corpus, query, at))

    lottery = Lottery(
        candidates.keys, data.document_rows, taken, rule.filters, score, lambda q, d: guards.codes(rows[q], d)
    )
    wanted = np.where(refined.verdicts == KEPT, rule.picking.limit, 0).astype(np.int64)
    return replace(refined, negatives=filled(refined.negatives, refined.positive_scores, wanted, lottery))


def _scored(data: SubDataset, queries: Vectors, lists: Ragged, calibration: Calibration) -> tuple[Ragged, Scores]:
    """Those documents of `lists` that the sub-dataset can search, and their scores."""
    at = np.searchsorted(data.document_rows, lists.values)
    inside = at < len(data.document_rows)
    inside[inside] = data.document_rows[at[inside]] == lists.values[inside]
    scores = pair_scores(np.ascontiguousarray(queries), data.corpus, lists.rows[inside], at[inside])
    return lists.keep(inside), _calibrated(calibration, scores)


def _calibrated(calibration: Calibration, cosines: Scores) -> Scores:
    return np.asarray(apply(calibration, cosines), np.float32)


def _histogram(scores: Scores) -> Ints:
    bins = np.clip(np.floor((scores.astype(np.float64) + 1) * BINS / 2), 0, BINS - 1).astype(np.int64)
    return np.bincount(bins, minlength=BINS).astype(np.int64)


def _concatenated(blocks: Sequence[Mined], recall_at_k: float | None) -> Mined:
    parts = [b.refined for b in blocks]
    histograms = blocks[0].histograms
    for block in blocks[1:]:
        histograms = histograms.plus(block.histograms)
    refined = Refined(
        verdicts=np.concatenate([p.verdicts for p in parts]),
        positives=stacked([p.positives for p in parts]),
        negatives=stacked([p.negatives for p in parts]),
        mean=np.concatenate([p.mean for p in parts]),
        best_score=np.concatenate([p.best_score for p in parts]),
        best_rank=np.concatenate([p.best_rank for p in parts]),
        hits=np.sum([p.hits for p in parts], axis=0),
        rivals=np.concatenate([p.rivals for p in parts]),
    )
    recalled = np.sum([b.recalled for b in blocks], axis=0)
    return Mined(refined, np.concatenate([b.labelled_best for b in blocks]), histograms, recalled, recall_at_k)


def stacked(parts: Sequence[Judged]) -> Judged:
    """The rows of all parts, one after the other."""
    lengths = np.concatenate([np.diff(p.offsets) for p in parts])
    return Judged(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([p.documents for p in parts]),
        np.concatenate([p.scores for p in parts]),
        np.concatenate([p.ranks for p in parts]),
    )
