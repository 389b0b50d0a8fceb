"""Pictures and pixels that tests generate."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pipeline.models.protocols import Picture, Pixels


def gradient() -> Picture:
    """200 x 120 px: red rises to the right, green downwards, blue is bright in a disc of radius 40."""
    y, x = np.mgrid[0:120, 0:200]
    disc = np.where((x - 100) ** 2 + (y - 60) ** 2 < 40**2, 230, 20)
    return np.stack([x * 255 // 199, y * 255 // 119, disc], -1).astype(np.uint8)


def plain(red: int, green: int, blue: int, width: int = 64, height: int = 48) -> Picture:
    return np.full((height, width, 3), (red, green, blue), np.uint8)


def jpeg(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def pixels(*pictures: Picture, video: bool = False) -> Pixels:
    return Pixels(tuple(map(jpeg, pictures)), tuple(float(i) for i in range(len(pictures))), video)
