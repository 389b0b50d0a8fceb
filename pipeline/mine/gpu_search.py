"""Exact search on a GPU: faiss proposes there, the scores that count are made here.

Not run on a GPU by our own tests, which give it faiss' CPU search instead; hence the check
that what the card says of its proposals is true to within the rounding that is assumed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError
from pipeline.mine.ragged import Ints
from pipeline.mine.search import search
from pipeline.mine.top_k import Scores, TopK, keys_of, merge_top_k, pair_scores, smallest
from pipeline.models.protocols import Vectors

# Queries, documents and K -> the scores [Q, K] and positions [Q, K] of the best.
Knn = Callable[[Vectors, Vectors, int], tuple[Scores, Ints]]
SLACK = 32  # proposals beyond K, so that rounding seldom leaves the K-th in doubt
MOST = 2048  # proposals that faiss gives on a GPU
DOCUMENTS = 2_000_000  # on the card at once: 3 GiB at 384 dimensions


def gpu_knn() -> Knn | None:
    """Search on the first GPU; None where faiss sees none."""
    if not hasattr(faiss, "StandardGpuResources") or faiss.get_num_gpus() == 0:
        return None
    return partial(_on_card, faiss.StandardGpuResources())


def _on_card(card: faiss.StandardGpuResources, queries: Vectors, documents: Vectors, k: int) -> tuple[Scores, Ints]:
    scores, positions = faiss.knn_gpu(card, queries, documents, k, metric=faiss.METRIC_INNER_PRODUCT)
    return scores, positions


def search_with(knn: Knn, queries: Vectors, corpus: Vectors, k: int) -> TopK:
    """`search` with the first pass of `knn`, the corpus in parts that fit a card.

    Raises ModelError when the scores of `knn` are not those of float32.
    """
    queries = np.ascontiguousarray(queries, np.float32)
    if k + SLACK > MOST or len(queries) == 0:
        return search(queries, corpus, k)
    best = TopK.none(len(queries), k)
    for start in range(0, len(corpus), DOCUMENTS):
        part = np.ascontiguousarray(corpus[start : start + DOCUMENTS], np.float32)
        found = _search_part(knn, queries, part, k)
        found.positions[found.positions >= 0] += start
        best = merge_top_k([best, found], k)
    return best


def _search_part(knn: Knn, queries: Vectors, part: Vectors, k: int) -> TopK:
    wanted = min(k + SLACK, len(part))
    proposed, positions = knn(queries, part, wanted)
    rows = np.repeat(np.arange(len(queries), dtype=np.int64), wanted)
    scores = pair_scores(queries, part, rows, positions.ravel()).reshape(positions.shape)
    rounding = _rounding(queries, part)
    if np.abs(scores - proposed).max() > rounding:
        raise ModelError(
            f"the GPU's inner products are off by {np.abs(scores - proposed).max():.1e}, float32 allows "
            f"{rounding:.1e}; set CUDA_VISIBLE_DEVICES to nothing to search on the CPU"
        )
    best = TopK.of_keys(smallest(keys_of(scores, positions), k))
    if wanted < len(part):
        # A document that was not proposed scores at most the last proposal, give or take rounding.
        doubt = np.flatnonzero(best.scores[:, -1] <= proposed[:, -1] + rounding)
        if len(doubt):
            sure = search(queries[doubt], part, k)
            best.scores[doubt], best.positions[doubt] = sure.scores, sure.positions
    return best


def _rounding(queries: Vectors, corpus: Vectors) -> float:
    """How far two float32 evaluations of one inner product can lie apart (Higham 2002, 3.1)."""
    longest = [float(_squares(v).max()) ** 0.5 for v in (queries, corpus)]
    return float(2.1 * queries.shape[1] * 2.0**-24 * longest[0] * longest[1])


def _squares(vectors: Vectors) -> NDArray[np.float32]:
    squares: NDArray[np.float32] = np.einsum("nd,nd->n", vectors, vectors)
    return squares
