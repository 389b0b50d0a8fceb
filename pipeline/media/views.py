"""A picture as copy detection sees it: small luma, colours at a glance, local features."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.models.protocols import Picture

SIDE_PX = 256  # longer side of the luma, smaller pictures are enlarged to it
GLANCE_PX = 16
FEATURES = 300
_PATCH_PX = 32  # what ORB looks at around a corner
_FAST_THRESHOLD = 5  # below OpenCV's 20: pale pictures have corners too

Luma = NDArray[np.uint8]  # [height, width]


@dataclass(frozen=True)
class View:
    """luma: uint8 [H, W], longer side SIDE_PX. glance: uint8 [GLANCE_PX, GLANCE_PX, 3], stretched RGB."""

    luma: Luma
    glance: Picture

    @cached_property
    def features(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """The strongest corners: positions (x, y) in luma px, float32 [N, 2], and their ORB descriptors, uint8 [N, 32].

        ORB: Rublee et al. 2011. Descriptors turn with the corner and are taken at several scales.
        """
        if min(self.luma.shape) < _PATCH_PX:
            return np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8)
        detector = cv2.ORB.create(FEATURES, fastThreshold=_FAST_THRESHOLD)
        points, descriptors = detector.detectAndCompute(self.luma, None)
        if descriptors is None:
            return np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8)
        return np.array([p.pt for p in points], np.float32), np.asarray(descriptors, np.uint8)

    @cached_property
    def mirrored(self) -> View:
        """The view of the mirrored picture."""
        return View(np.ascontiguousarray(self.luma[:, ::-1]), np.ascontiguousarray(self.glance[:, ::-1]))


def view_of(jpeg: bytes) -> View:
    """The view of a frame as `encode_jpeg` wrote it; decodes no more pixels than needed."""
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        scale = SIDE_PX / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image.draft("RGB", size)
        picture = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    glance = picture.resize((GLANCE_PX, GLANCE_PX), Image.Resampling.BOX)
    return View(np.asarray(picture.convert("L")), np.asarray(glance))
