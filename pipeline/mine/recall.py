"""Recall: the K documents with the largest inner product, exactly and reproducibly.

BLAS gives a pair a slightly different product in another block or beside other rows, so faiss
only proposes candidates. Every score that leaves this file comes from one kernel that sees
nothing but the two vectors, and equal scores stand in the order of the documents. Hence parts
of a corpus, searched anywhere and merged, give the bits of one search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.mine.ragged import Ints
from pipeline.models.protocols import Vectors
from pipeline.stage import Runner

Scores = NDArray[np.float32]
SLACK = 32  # proposals beyond K, so that rounding seldom leaves the K-th in doubt
RANGE_FLOATS = 1 << 23  # scores held at once when a query's boundary is in doubt (32 MiB)
CORPUS_PART = 250_000  # documents a worker searches at once
ABSENT = np.uint64(0xFFFF_FFFF_FFFF_FFFF)  # sorts after every hit


@dataclass(frozen=True)
class TopK:
    """scores: float32 [Q, K], falling; -inf where there is no K-th document.
    positions: int64 [Q, K], of documents in the corpus; -1 where there is none. Equal scores
    stand in rising position."""

    scores: Scores
    positions: Ints


@dataclass(frozen=True)
class SearchPart:
    """One unit of work of `Runner.map_parts`: all queries against a slice of the corpus."""

    queries: Vectors  # [Q, dim]
    corpus: Vectors  # [N, dim]
    offset: int  # position of the slice's first document in the corpus
    k: int
    query_block: int  # queries searched at once: bounds memory, changes no result


def search_part(part: SearchPart) -> TopK:
    """Exact top-K of a slice of the corpus, with positions in the whole corpus.

    Raises ValueError when the dimensions of queries and corpus differ.
    """
    queries, corpus = np.ascontiguousarray(part.queries, np.float32), np.ascontiguousarray(part.corpus, np.float32)
    if len(queries) and len(corpus) and queries.shape[1] != corpus.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} dimensions, documents {corpus.shape[1]}")
    if len(queries) == 0 or len(corpus) == 0:
        return _none(len(queries), part.k)
    rounding = _rounding(queries, corpus)
    starts = range(0, len(queries), part.query_block)
    blocks = [_search_block(queries[i : i + part.query_block], corpus, part, rounding) for i in starts]
    return TopK(np.concatenate([b.scores for b in blocks]), np.concatenate([b.positions for b in blocks]))


def recall(run: Runner, queries: Vectors, corpus: Vectors, k: int, query_block: int) -> TopK:
    """Exact top-K of a whole corpus. A small one is searched here with all cores, a larger one in
    parts of CORPUS_PART by the workers of `run`; the result has the same bits either way."""
    starts = range(0, max(1, len(corpus)), CORPUS_PART)
    parts = (SearchPart(queries, corpus[i : i + CORPUS_PART], i, k, query_block) for i in starts)
    if len(starts) == 1:
        return search_part(next(parts))
    best = _none(len(queries), k)
    for found in run.map_parts(search_part, parts):
        best = merge_top_k([best, found], k)
    return best


def merge_top_k(parts: Sequence[TopK], k: int) -> TopK:
    """The top-K of several slices of one corpus, searched by the same queries.

    parts: at least one, each with its own K. The order of the parts does not matter.
    """
    scores = np.concatenate([p.scores for p in parts], axis=1)
    positions = np.concatenate([p.positions for p in parts], axis=1)
    return _best(scores, positions, k)


def pair_scores(queries: Vectors, corpus: Vectors, query: Ints, document: Ints) -> Scores:
    """Inner products of given pairs, float32 [P]: the bits that `search_part` gives them.

    queries, corpus: C-contiguous float32 [., dim]. query, document: int64 [P], rows of each.
    """
    query, document = np.ascontiguousarray(query, np.int64), np.ascontiguousarray(document, np.int64)
    scores = np.empty(len(query), np.float32)
    if len(query):
        faiss.pairwise_indexed_inner_product(  # type: ignore[attr-defined]  # its stubs lack it
            queries.shape[1],
            len(query),
            faiss.swig_ptr(queries),
            faiss.swig_ptr(query),
            faiss.swig_ptr(corpus),
            faiss.swig_ptr(document),
            faiss.swig_ptr(scores),
        )
    return scores + np.float32(0)  # -0.0 becomes 0.0: they must tie


def _none(queries: int, k: int) -> TopK:
    return TopK(np.full((queries, k), -np.inf, np.float32), np.full((queries, k), -1, np.int64))


def _search_block(queries: Vectors, corpus: Vectors, part: SearchPart, rounding: float) -> TopK:
    wanted = min(part.k + SLACK, len(corpus))
    proposed, ids = faiss.knn(queries, corpus, wanted, metric=faiss.METRIC_INNER_PRODUCT)
    rows = np.repeat(np.arange(len(queries), dtype=np.int64), wanted)
    scores = pair_scores(queries, corpus, rows, ids.ravel()).reshape(ids.shape)
    best = _best(scores, ids, part.k)
    if wanted < len(corpus):
        # A document that was not proposed scores at most the last proposal, give or take rounding.
        doubt = np.flatnonzero(best.scores[:, -1] <= proposed[:, -1] + rounding)
        step = max(1, RANGE_FLOATS // len(corpus))
        for i in range(0, len(doubt), step):
            _settle(queries, corpus, doubt[i : i + step], rounding, best)
    return TopK(best.scores, np.where(best.positions >= 0, best.positions + part.offset, -1))


def _rounding(queries: Vectors, corpus: Vectors) -> float:
    """How far two float32 evaluations of one inner product can lie apart (Higham 2002, 3.1)."""
    longest = [float(np.einsum("nd,nd->n", v, v).max()) ** 0.5 for v in (queries, corpus)]
    return float(2.1 * queries.shape[1] * 2.0**-24 * longest[0] * longest[1])


def _settle(queries: Vectors, corpus: Vectors, doubt: Ints, rounding: float, best: TopK) -> None:
    """Decide the top-K of the queries `doubt` among all documents near the K-th score; edits `best`."""
    k = best.scores.shape[1]
    chosen = queries[doubt]
    near = chosen @ corpus.T >= (best.scores[doubt, -1] - rounding)[:, None]
    rows, documents = (a.astype(np.int64) for a in np.nonzero(near))
    keys = _keys(pair_scores(chosen, corpus, rows, documents), documents)
    order = np.lexsort((keys, rows))
    starts = np.searchsorted(rows, np.arange(len(doubt)))
    first = order[starts[:, None] + np.arange(k)]  # at least K documents of each row are near
    best.scores[doubt], best.positions[doubt] = _values(keys[first])


def _best(scores: Scores, positions: Ints, k: int) -> TopK:
    """The first K of each row by (score falling, position rising); padded when there are fewer."""
    keys = np.sort(_keys(scores, positions), axis=1)[:, :k]
    if keys.shape[1] < k:
        keys = np.pad(keys, ((0, 0), (0, k - keys.shape[1])), constant_values=ABSENT)
    return TopK(*_values(keys))


def _keys(scores: Scores, positions: Ints) -> NDArray[np.uint64]:
    """One integer a hit that sorts like (score falling, position rising): numpy sorts such rows
    about ten times faster than two keys. Positions stay below 2**32."""
    bits = np.ascontiguousarray(scores).view(np.uint32)
    falling = np.where(bits >> 31, bits, ~bits & np.uint32(0x7FFF_FFFF))
    keys = falling.astype(np.uint64) << np.uint64(32) | positions.astype(np.uint64)
    return np.where(positions >= 0, keys, ABSENT)


def _values(keys: NDArray[np.uint64]) -> tuple[Scores, Ints]:
    falling = (keys >> np.uint64(32)).astype(np.uint32)
    bits = np.where(falling >> 31, falling, ~falling & np.uint32(0x7FFF_FFFF))
    absent = keys == ABSENT
    scores = np.where(absent, np.float32(-np.inf), np.ascontiguousarray(bits).view(np.float32))
    return scores, np.where(absent, -1, (keys & np.uint64(0xFFFF_FFFF)).astype(np.int64))
