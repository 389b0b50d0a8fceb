"""Search by an index: less work than all pairs, at the price of missing some documents.

How many it misses is measured on queries of the task. The scores are exact, and equal ones
stand in the order of the documents, so a document is found or not, never scored otherwise.
"""

from __future__ import annotations

from typing import Literal

import faiss
import numpy as np

from pipeline.mine.search import search
from pipeline.mine.top_k import ABSENT, TopK, keys_of, pair_scores, smallest
from pipeline.models.protocols import Vectors

Kind = Literal["ivf", "hnsw"]
LINKS = 32  # neighbours a document of an HNSW graph
TRAINED_ON = 64  # documents a list of an IVF index, at most
SAMPLE = 1000  # queries whose recall is measured
SEED = 1234
ADDED_AT_ONCE = 65_536


def build_index(kind: Kind, corpus: Vectors, effort: int) -> faiss.Index:
    """An index of all documents, which it copies (float32).

    corpus: [N, dim], not empty. effort: lists visited a query (ivf, of 4 sqrt(N) lists), or
    candidates kept while walking the graph (hnsw).
    """
    index = _graph(corpus, effort) if kind == "hnsw" else _lists(corpus, effort)
    for start in range(0, len(corpus), ADDED_AT_ONCE):
        index.add(np.ascontiguousarray(corpus[start : start + ADDED_AT_ONCE], np.float32))
    return index


def _graph(corpus: Vectors, candidates: int) -> faiss.Index:
    index = faiss.IndexHNSWFlat(corpus.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efSearch = candidates
    return index


def _lists(corpus: Vectors, visited: int) -> faiss.Index:
    n, dim = corpus.shape
    lists = max(1, min(round(4 * n**0.5), n // 39))  # faiss asks for 39 documents a list
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.nprobe = SEED, min(visited, lists)
    taught = np.linspace(0, n - 1, min(n, lists * TRAINED_ON)).astype(np.int64)
    index.train(np.ascontiguousarray(corpus[taught], np.float32))
    return index


def search_index(index: faiss.Index, queries: Vectors, corpus: Vectors, k: int) -> TopK:
    """The documents the index finds, K a query; fewer, padded, where it finds fewer."""
    queries = np.ascontiguousarray(queries, np.float32)
    _, positions = index.search(queries, min(k, len(corpus)))
    there = positions >= 0
    rows = np.nonzero(there)[0]
    keys = np.full(positions.shape, ABSENT, np.uint64)
    keys[there] = keys_of(pair_scores(queries, corpus, rows, positions[there]), positions[there])
    return TopK.of_keys(smallest(keys, k))


def measured_recall(index: faiss.Index, queries: Vectors, corpus: Vectors, k: int) -> float:
    """The share of the exact top-K that the index finds, 0..1, over SAMPLE queries evenly drawn."""
    drawn = queries[np.unique(np.linspace(0, len(queries) - 1, min(SAMPLE, len(queries))).astype(np.int64))]
    found, exact = search_index(index, drawn, corpus, k), search(drawn, corpus, k)
    hits = [len(np.intersect1d(a[a >= 0], b[b >= 0])) for a, b in zip(found.positions, exact.positions, strict=True)]
    return sum(hits) / max(1, int((exact.positions >= 0).sum()))
