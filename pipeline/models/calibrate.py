"""Maps a model's cosines to the scores on disk, so that one t+ means the same for every model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Calibration


def apply(calibration: Calibration, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores of `cosines`: piecewise linear and rising through the knots, float32, same shape.

    Cosines outside -1..1 (by rounding) give the score of the nearer end. The default knots are the
    exact identity.
    """
    clipped = np.clip(cosines, np.float32(-1), np.float32(1))
    if len(calibration.cosine) == 2:
        return np.asarray(clipped, np.float32)
    return np.asarray(np.interp(clipped, calibration.cosine, calibration.score), np.float32)
