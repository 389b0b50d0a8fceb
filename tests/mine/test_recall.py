from __future__ import annotations

import pickle

import numpy as np
import pytest

from pipeline.mine import recall as module
from pipeline.mine.recall import SearchPart, recall, search_part
from pipeline.mine.search import search
from tests.mine.loop import Loop


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CORPUS_PART", 11)


@pytest.mark.usefixtures("small_parts")
def test_a_large_corpus_is_searched_in_parts_by_the_runner() -> None:
    rng = np.random.default_rng(2)
    queries, corpus = rng.standard_normal((5, 8)).astype(np.float32), rng.standard_normal((40, 8)).astype(np.float32)
    run = Loop(None)
    found = recall(run, queries, corpus, 6)
    assert run.parts == 4
    assert found.positions.tolist() == search(queries, corpus, 6).positions.tolist()


def test_a_part_travels_to_a_worker_and_back() -> None:
    part = SearchPart(np.ones((1, 2), np.float32), np.ones((3, 2), np.float32), 5, 2)
    fn, sent = pickle.loads(pickle.dumps((search_part, part)))  # noqa: S301
    assert fn(sent).positions.tolist() == [[5, 6]]
