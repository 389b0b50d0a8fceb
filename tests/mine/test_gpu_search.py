from __future__ import annotations

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ModelError
from pipeline.mine import gpu_search
from pipeline.mine.gpu_search import gpu_knn, search_with
from pipeline.mine.ragged import Ints
from pipeline.mine.search import search
from pipeline.mine.top_k import Scores
from pipeline.models.protocols import Vectors


def on_this_processor(queries: Vectors, documents: Vectors, k: int) -> tuple[Scores, Ints]:
    scores, positions = faiss.knn(queries, documents, k, metric=faiss.METRIC_INNER_PRODUCT)
    return scores, positions


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 90))
def test_proposals_of_faiss_end_in_the_bits_of_the_exact_search(seed: int, k: int, part: int) -> None:
    rng = np.random.default_rng(seed)
    corpus = rng.standard_normal((30, 24)).astype(np.float32)[rng.integers(0, 30, 200)]  # ties at every rank
    queries = rng.standard_normal((5, 24)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_search, "DOCUMENTS", part)
        found = search_with(on_this_processor, queries, corpus, k)
    wanted = search(queries, corpus, k)
    assert found.positions.tolist() == wanted.positions.tolist()
    assert found.scores.tobytes() == wanted.scores.tobytes()


def test_more_than_a_card_proposes_is_searched_here() -> None:
    def refuses(queries: Vectors, documents: Vectors, k: int) -> tuple[Scores, Ints]:
        raise AssertionError("asked the card")

    corpus = np.eye(4, dtype=np.float32)
    assert search_with(refuses, corpus[:1], corpus, gpu_search.MOST).positions[0, 0] == 0


def test_a_card_that_multiplies_in_less_than_float32_is_named() -> None:
    def rounded(queries: Vectors, documents: Vectors, k: int) -> tuple[Scores, Ints]:
        scores, positions = on_this_processor(queries, documents, k)
        return scores * np.float32(1.001), positions

    corpus = np.eye(4, dtype=np.float32)
    with pytest.raises(ModelError, match=r"off by .* CUDA_VISIBLE_DEVICES"):
        search_with(rounded, corpus, corpus, 2)


def test_without_a_card_there_is_no_search_on_one() -> None:
    if hasattr(faiss, "get_num_gpus") and faiss.get_num_gpus():
        pytest.skip("this machine has a GPU")
    assert gpu_knn() is None
