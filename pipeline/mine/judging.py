"""A reranker as judge of what the scores leave in doubt, and the positives it may make."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipeline.config import JudgeSettings
from pipeline.mine.inputs import Task
from pipeline.mine.judgements import JUDGE, MINED, SOURCES
from pipeline.mine.ragged import Bools, Ints
from pipeline.mine.rerank import PairScorer
from pipeline.mine.settle import Judge, Settled
from pipeline.schemas import RELEVANCE


def judge_of(task: Task, scorer: PairScorer | None, settings: JudgeSettings) -> Judge | None:
    """A reranker as judge of pairs that nobody has judged; None where it is not asked.

    A pair that cannot be read is not relevant.
    """
    if scorer is None or not settings.on:
        return None

    def may(query: Ints, document: Ints) -> Bools:
        return np.asarray(task.judgements.codes_of(query, document) == MINED)

    def relevant(query: Ints, document: Ints) -> Bools:
        return np.asarray(scorer.logits(query, document) > settings.logit)

    return Judge(may, relevant)


def with_promoted(task: Task, settled: Settled) -> Task:
    """The task with what its judge found relevant among the positives."""
    query, document = settled.relevant
    return replace(task, judgements=task.judgements.with_positives(query, document))


def promoted(task: Task, settled: Settled) -> pa.Table:
    """What the judge found relevant as rows of `relevance`."""
    query, document = settled.relevant
    ids = [task.queries.column("query_id").take(pa.array(query)), task.corpus.column("doc_id").take(pa.array(document))]
    grade, source = np.ones(len(query), np.int8), pa.array([SOURCES[JUDGE]] * len(query), pa.string())
    return pa.table([*ids, pa.array(grade), source], schema=RELEVANCE)
