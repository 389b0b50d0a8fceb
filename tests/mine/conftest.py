from __future__ import annotations

from collections.abc import Iterator

import faiss
import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_search_thread() -> Iterator[None]:
    """Searches here are tiny: threads would only wait for each other, above all on a busy machine."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(threads)
