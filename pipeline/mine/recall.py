"""Recall: the K documents with the largest inner product, exactly and reproducibly.

BLAS gives a pair a slightly different product in another block or beside other rows, so it only
proposes candidates. Every score that leaves this file comes from one kernel that sees nothing
but the two vectors, and equal scores stand in the order of the documents. Hence parts of a
corpus, searched anywhere and merged, give the bits of one search.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.config import MineSettings
from pipeline.mine.gpu_search import gpu_knn, search_with
from pipeline.mine.index_search import build_index, measured_recall, search_index
from pipeline.mine.search import search
from pipeline.mine.top_k import Scores, TopK, merge_top_k
from pipeline.models.protocols import Vectors
from pipeline.stage import Runner

CORPUS_PART = 262_144  # documents a worker searches at once


@dataclass(frozen=True)
class SearchPart:
    """One unit of work of `Runner.map_parts`: all queries against a slice of the corpus."""

    queries: Vectors  # [Q, dim]
    corpus: Vectors  # [N, dim]
    offset: int  # position of the slice's first document in the corpus
    k: int
    floors: Scores | None = None  # see `search`


def search_part(part: SearchPart) -> TopK:
    """Exact top-K of a slice of the corpus, with positions in the whole corpus.

    Raises ValueError when the dimensions of queries and corpus differ.
    """
    found = search(part.queries, part.corpus, part.k, part.floors)
    found.positions[found.positions >= 0] += part.offset
    return found


class Recall:
    """The top-K of blocks of queries among one corpus, by the way that settings and machine allow."""

    def __init__(self, run: Runner, corpus: Vectors, settings: MineSettings) -> None:
        self.run, self.corpus, self.k = run, corpus, settings.top_k
        self.knn = gpu_knn()
        self.index = None
        if settings.index != "exact" and len(corpus) >= max(1, settings.index_above):
            self.index = build_index(settings.index, corpus, settings.index_effort)

    def top_k(self, queries: Vectors) -> TopK:
        """queries: float32 [Q, dim]."""
        if self.index is not None:
            return search_index(self.index, queries, self.corpus, self.k)
        if self.knn is not None:
            return search_with(self.knn, queries, self.corpus, self.k)
        return recall(self.run, queries, self.corpus, self.k)

    def measured(self, queries: Vectors) -> float | None:
        """The share of the exact top-K that an index finds, 0..1; None of an exact search."""
        if self.index is None or len(queries) == 0:
            return None
        return measured_recall(self.index, queries, self.corpus, self.k)


def recall(run: Runner, queries: Vectors, corpus: Vectors, k: int) -> TopK:
    """Exact top-K of a whole corpus, which the workers of `run` search in parts of CORPUS_PART;
    the result has the bits of one search."""
    best = TopK.none(len(queries), k)

    def parts() -> Iterator[SearchPart]:
        for i in range(0, max(1, len(corpus)), CORPUS_PART):
            # What the parts before have found by now spares the next some work.
            yield SearchPart(queries, corpus[i : i + CORPUS_PART], i, k, best.scores[:, -1])

    if len(corpus) <= CORPUS_PART:
        return search_part(next(parts()))
    for found in run.map_parts(search_part, parts()):
        best = merge_top_k([best, found], k)
    return best
