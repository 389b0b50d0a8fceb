from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.config import Calibration
from pipeline.models.calibrate import apply

KNOTS = Calibration(cosine=(-1.0, 0.0, 0.3, 1.0), score=(-1.0, 0.0, 0.6, 1.0))
COSINES = arrays(np.float32, st.integers(1, 20), elements=st.floats(-1, 1, width=32))


def test_scores_lie_on_the_lines_between_knots() -> None:
    scores = apply(KNOTS, np.array([-1, -0.5, 0, 0.15, 0.3, 0.65, 1], np.float32))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [-1, -0.5, 0, 0.3, 0.6, 0.8, 1], atol=1e-6)


@given(COSINES)
def test_default_is_the_exact_identity(cosines: np.ndarray) -> None:
    assert np.array_equal(apply(Calibration(), cosines), cosines)


@given(COSINES)
def test_order_is_kept_and_scores_stay_in_range(cosines: np.ndarray) -> None:
    ordered = np.sort(cosines)
    scores = apply(KNOTS, ordered)
    assert (np.diff(scores) >= 0).all()
    assert scores.min() >= -1
    assert scores.max() <= 1


def test_cosines_beyond_one_by_rounding_score_one() -> None:
    assert apply(Calibration(), np.array([1.0000001, -1.0000001], np.float32)).tolist() == [1, -1]
    assert apply(KNOTS, np.array([1.0000001], np.float32)).tolist() == [1]


def test_shape_is_kept() -> None:
    assert apply(KNOTS, np.zeros((2, 3, 4), np.float32)).shape == (2, 3, 4)
