"""The contracts of embedders and rerankers, with vLLM behind them.

Left out: that the same call gives the same bits. An engine computes together what has arrived, and other neighbours
change the last bits; that vectors do not depend on their batch is tested to 1e-5.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.models.protocols import Embedder, Reranker
from pipeline.models.vllm.pooling import VllmEmbedder, VllmReranker
from tests.contracts import test_embedders, test_rerankers
from tests.contracts.test_embedders import Adapter
from tests.models.tiny_qwen_vl import DIM, save_qwen3_vl
from tests.vllm.test_pooling import settings


def _folder(folder: Path, seed: int) -> Path:
    home = folder / f"qwen-{seed}"
    return home if home.exists() else save_qwen3_vl(home, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


class TestEmbedder:
    @pytest.fixture(scope="class")
    def adapter(self) -> Adapter:
        return Adapter(lambda folder, seed: VllmEmbedder(settings(_folder(folder, seed))), DIM)

    @pytest.fixture(scope="class")
    def model(self, adapter: Adapter, folder: Path) -> Iterator[Embedder]:
        loaded = adapter.load(folder, 0)
        yield loaded
        loaded._pooling.close()  # type: ignore[attr-defined]

    test_unit_rows = staticmethod(test_embedders.test_one_finite_unit_row_an_item)
    test_no_items = staticmethod(test_embedders.test_no_items_give_no_rows)
    test_order = staticmethod(test_embedders.test_rows_follow_the_order_of_items)
    test_batch = staticmethod(test_embedders.test_a_vector_does_not_depend_on_its_batch)
    test_different = staticmethod(test_embedders.test_different_items_get_different_vectors)
    test_fingerprint = staticmethod(test_embedders.test_the_fingerprint_names_the_weights)


class TestReranker:
    @pytest.fixture(scope="class")
    def adapter(self) -> test_rerankers.Load:
        return lambda folder, seed: VllmReranker(settings(_folder(folder, seed)))

    @pytest.fixture(scope="class")
    def model(self, adapter: test_rerankers.Load, folder: Path) -> Iterator[Reranker]:
        loaded = adapter(folder, 0)
        yield loaded
        loaded._pooling.close()  # type: ignore[attr-defined]

    test_logits = staticmethod(test_rerankers.test_one_finite_logit_a_pair)
    test_no_pairs = staticmethod(test_rerankers.test_no_pairs_give_no_scores)
    test_order = staticmethod(test_rerankers.test_scores_follow_the_order_of_pairs)
    test_batch = staticmethod(test_rerankers.test_a_score_does_not_depend_on_its_batch)
    test_parts = staticmethod(test_rerankers.test_instruction_query_and_document_each_matter)
    test_fingerprint = staticmethod(test_rerankers.test_the_fingerprint_names_the_weights)
