"""What range of tones a picture uses: is there anything in it, is it lost in black or white?"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media.luma import small
from pipeline.models.protocols import Picture

_SIDE_PX = 256  # noise averages out, a line of text stays
_FEW = 0.1  # percent of the pixels that may lie outside a range: one word on a page is more
_BRIGHTEST = 99  # percentile: lamps in a night scene are more than the rest
_CLIPPED = 250  # luma from which on nothing can be told apart


@dataclass(frozen=True)
class TonalRange:
    """Measured on a picture scaled down to 256 px. All values 0..255 unless said otherwise."""

    contrast: float  # between the 0.1th and the 99.9th percentile of the channel that spans most
    entropy_bits: float  # Shannon entropy of the luma histogram, 0..8
    bright_luma: float  # 99th percentile of luma
    dark_luma: float  # 0.1th percentile of luma
    clipped_share: float  # of pixels with luma of at least 250, 0..1


def tonal_range(picture: Picture) -> TonalRange:
    """Measure a uint8 [H, W, 3] RGB picture."""
    seen = small(picture, _SIDE_PX)
    channels = [_histogram(seen[..., i]) for i in range(3)]
    luma = _histogram(np.asarray(cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY), np.uint8))
    share = luma[luma > 0] / luma.sum()
    return TonalRange(
        contrast=float(max(_percentile(c, 100 - _FEW) - _percentile(c, _FEW) for c in channels)),
        entropy_bits=max(0.0, float(-(share * np.log2(share)).sum())),
        bright_luma=float(_percentile(luma, _BRIGHTEST)),
        dark_luma=float(_percentile(luma, _FEW)),
        clipped_share=float(luma[_CLIPPED:].sum() / luma.sum()),
    )


def _histogram(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.bincount(values.ravel(), minlength=256)


def _percentile(histogram: NDArray[np.int64], percent: float) -> int:
    """The least value that is not below `percent` of them."""
    return int(np.searchsorted(histogram.cumsum(), histogram.sum() * percent / 100))
