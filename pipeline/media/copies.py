"""Is one picture a copy of another: an alignment is sought, and the aligned pixels are compared.

Alignments tried: stretched onto each other, and the affine map on which local features agree
(RANSAC, Fischler and Bolles 1981), each also with the second picture mirrored. What decides is
not how many features agree, for two pictures of one thing share many, but how much of the
aligned picture is the same: normalised cross-correlation block by block, which brightness and
contrast leave alone. A crop, caption or border leaves parts without counterpart: the overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media.views import Luma, View

Affine = NDArray[np.float64]  # [2, 3]: from px of the second picture to px of the first

BLOCK_PX = 16
MIN_CORRELATION = 0.7  # of a block that is the same in both
MIN_TEXTURE = 5.0  # standard deviation of luma, 0..255, of a block that shows something
MIN_BLOCKS = 8  # that show something; with fewer, colours are compared
MAX_COLOUR_STEP = 12  # 0..255, a channel, in cells of the glance that are the same
MIN_INLIERS = 6
RATIO = 0.85  # of the best to the second best match (Lowe 2004)
_RANSAC_PX = 4.0
_RANSAC_TRIALS = 1000
_BLUR_PX = 1.5  # alignment is good to about a pixel


@dataclass(frozen=True)
class Comparison:
    """agreement: share of the overlap's blocks that are the same, 0..1. overlap: share of the
    picture that is covered more, 0..1; shared: of the one that is covered less."""

    agreement: float
    overlap: float
    shared: float
    mirrored: bool = False


NOTHING = Comparison(0.0, 0.0, 0.0)
MIN_SHARED = 0.25  # less in common is a detail, not a copy


def compare(first: View, second: View, min_overlap: float) -> Comparison:
    """The best of all alignments whose overlap reaches `min_overlap`; NOTHING where none does."""
    best = NOTHING
    for mirrored, other in ((False, second), (True, second.mirrored)):
        for affine in _alignments(first, other):
            found = _compared(first, other, affine, mirrored)
            enough = found.overlap >= min_overlap and found.shared >= MIN_SHARED
            if enough and found.agreement > best.agreement:
                best = found
    return best


def _alignments(first: View, second: View) -> Iterator[Affine]:
    (height, width), (other_height, other_width) = first.luma.shape, second.luma.shape
    yield np.array([[width / other_width, 0, 0], [0, height / other_height, 0]], np.float64)
    fitted = _fitted(first, second)
    if fitted is not None:
        yield fitted


def _fitted(first: View, second: View) -> Affine | None:
    """The affine map that most matched features agree on; None where too few do, or it distorts."""
    (points, codes), (other_points, other_codes) = first.features, second.features
    if min(len(codes), len(other_codes)) < MIN_INLIERS:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(other_codes, codes, k=2)
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < RATIO * p[1].distance]
    if len(good) < MIN_INLIERS:
        return None
    source = np.array([other_points[m.queryIdx] for m in good])
    target = np.array([points[m.trainIdx] for m in good])
    cv2.setRNGSeed(0)  # the same verdict on every machine and in every order
    affine, inliers = cv2.estimateAffine2D(source, target, ransacReprojThreshold=_RANSAC_PX, maxIters=_RANSAC_TRIALS)
    if affine is None or int(inliers.sum()) < MIN_INLIERS:
        return None
    stretch = np.linalg.svd(affine[:, :2], compute_uv=False)
    plausible = (
        stretch[1] > 0.2 and stretch[0] < 5 and stretch[0] < 1.5 * stretch[1] and np.linalg.det(affine[:, :2]) > 0
    )
    return np.asarray(affine, np.float64) if plausible else None


def _compared(first: View, second: View, affine: Affine, mirrored: bool) -> Comparison:
    height, width = first.luma.shape
    size = (width, height)
    moved = cv2.warpAffine(second.luma, affine, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones_like(second.luma), affine, size, flags=cv2.INTER_NEAREST)
    covered = float(inside.sum())
    area = abs(float(np.linalg.det(affine[:, :2]))) * second.luma.size
    shares = sorted((covered / first.luma.size, min(1.0, covered / max(area, 1.0))))
    same, shown = _blocks(first.luma, np.asarray(moved, np.uint8), np.asarray(inside, np.uint8))
    if shown < MIN_BLOCKS:
        step = np.abs(first.glance.astype(np.int16) - second.glance).max(axis=2)
        return Comparison(float((step <= MAX_COLOUR_STEP).mean()), 1.0, 1.0, mirrored)
    return Comparison(same / shown, shares[1], shares[0], mirrored)


def _blocks(first: Luma, second: Luma, inside: Luma) -> tuple[int, int]:
    """How many blocks are the same, and how many show something in either picture."""
    a, b = (_cut(cv2.GaussianBlur(p, (0, 0), _BLUR_PX).astype(np.float32)) for p in (first, second))
    whole = _cut(inside.astype(np.float32)).mean(axis=1) == 1
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    spread_a, spread_b = a.std(axis=1), b.std(axis=1)
    shown = whole & (np.maximum(spread_a, spread_b) >= MIN_TEXTURE)
    correlation = (a * b).mean(axis=1) / np.maximum(spread_a * spread_b, 1e-6)
    return int((shown & (correlation >= MIN_CORRELATION)).sum()), int(shown.sum())


def _cut(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blocks of BLOCK_PX x BLOCK_PX, float32 [blocks, px]; what is left at right and below is dropped."""
    rows, columns = picture.shape[0] // BLOCK_PX, picture.shape[1] // BLOCK_PX
    picture = picture[: rows * BLOCK_PX, : columns * BLOCK_PX]
    blocks = picture.reshape(rows, BLOCK_PX, columns, BLOCK_PX).swapaxes(1, 2)
    return blocks.reshape(rows * columns, BLOCK_PX * BLOCK_PX)
