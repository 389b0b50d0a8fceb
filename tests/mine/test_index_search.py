from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import MineSettings
from pipeline.mine.index_search import Kind, build_index, measured_recall, search_index
from pipeline.mine.recall import Recall
from pipeline.mine.search import search
from pipeline.models.protocols import Vectors
from tests.mine.loop import Loop


@pytest.fixture(scope="module")
def clustered() -> tuple[Vectors, Vectors]:
    rng = np.random.default_rng(0)
    middles = rng.standard_normal((60, 32))
    corpus = middles[rng.integers(0, 60, 3000)] + 0.4 * rng.standard_normal((3000, 32))
    queries = middles[rng.integers(0, 60, 200)] + 0.4 * rng.standard_normal((200, 32))
    corpus, queries = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (corpus, queries))
    return queries.astype(np.float32), corpus.astype(np.float32)


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_what_an_index_finds_has_the_scores_and_order_of_the_exact_search(
    clustered: tuple[Vectors, Vectors], kind: Kind
) -> None:
    queries, corpus = clustered
    found, exact = search_index(build_index(kind, corpus, 16), queries, corpus, 10), search(queries, corpus, 3000)
    for row in range(len(queries)):
        scores = dict(zip(exact.positions[row].tolist(), exact.scores[row].tolist(), strict=True))
        got = [
            (-s, p) for s, p in zip(found.scores[row].tolist(), found.positions[row].tolist(), strict=True) if p >= 0
        ]
        assert got == sorted(got)
        assert all(scores[p] == -s for s, p in got)


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_more_effort_finds_more_and_the_figure_says_so(clustered: tuple[Vectors, Vectors], kind: Kind) -> None:
    queries, corpus = clustered
    little, much = (measured_recall(build_index(kind, corpus, effort), queries, corpus, 50) for effort in (1, 512))
    assert 0 < little < much
    assert much > 0.999


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_an_index_of_few_documents_gives_padding(kind: Kind) -> None:
    corpus = np.eye(3, dtype=np.float32)
    assert search_index(build_index(kind, corpus, 8), corpus, corpus, 5).positions.tolist() == [
        [0, 1, 2, -1, -1],
        [1, 0, 2, -1, -1],
        [2, 0, 1, -1, -1],
    ]


def test_settings_choose_the_index_and_small_corpora_are_searched_exactly(clustered: tuple[Vectors, Vectors]) -> None:
    queries, corpus = clustered
    by_index = Recall(Loop(None), corpus, MineSettings(index="ivf", index_above=3000, index_effort=1, top_k=50))
    exactly = Recall(Loop(None), corpus, MineSettings(index="ivf", index_above=3001, index_effort=1, top_k=50))
    assert by_index.measured(queries) == measured_recall(build_index("ivf", corpus, 1), queries, corpus, 50) < 1
    assert exactly.measured(queries) is None
    assert exactly.top_k(queries).positions.tolist() == search(queries, corpus, 50).positions.tolist()
