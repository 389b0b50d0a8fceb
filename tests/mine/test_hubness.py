from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import skew

from pipeline.mine.hubness import hubness


def test_hubness_is_the_skewness_of_uses() -> None:
    uses = np.array([0, 0, 1, 1, 2, 9])
    told = hubness(uses)
    assert told["n_k_skewness"] == pytest.approx(skew(uses), abs=1e-3)
    assert (told["largest"], told["never"]) == (9, pytest.approx(1 / 3))


def test_even_use_and_no_documents_have_none() -> None:
    assert hubness(np.array([3, 3, 3])) == {"n_k_skewness": 0.0, "largest": 3, "never": 0.0}
    assert hubness(np.zeros(0, np.int64)) == {"n_k_skewness": 0.0, "largest": 0, "never": 0.0}
