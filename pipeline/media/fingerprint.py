"""Fingerprints: of a file's bytes, and of what a picture looks like."""

from __future__ import annotations

import hashlib

import imagehash
import numpy as np
from PIL import Image

from pipeline.media.opening import open_medium
from pipeline.media.places import Place
from pipeline.models.protocols import Picture


def file_sha256(place: Place) -> str:
    """SHA-256 of a medium's bytes, hexadecimal, read in blocks. Raises MediaError when it cannot be opened."""
    with open_medium(place) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def perceptual_hash(picture: Picture) -> int:
    """The 64-bit DCT hash of a uint8 [H, W, 3] picture: copies differ in few bits after scaling,
    recompression or a change of brightness. Flat pictures carry no information in it."""
    bits = imagehash.phash(Image.fromarray(picture)).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
