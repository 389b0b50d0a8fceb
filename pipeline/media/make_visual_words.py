"""Makes `visual_words.npy`: k-means over the local features of the pictures in a folder.

    python -m pipeline.media.make_visual_words /usr/share/tuxpaint/stamps

The shipped words come from every second of tuxpaint's stamps and templates (sorted by path, of
those with at least 120 px a side), never from the sample media.
"""

from __future__ import annotations

import sys
from pathlib import Path

import faiss
import numpy as np

from pipeline.config import FrameSettings
from pipeline.media.decode import read_image
from pipeline.media.jpeg import encode_jpeg
from pipeline.media.looks import WORDS, WORDS_FILE, signs
from pipeline.media.views import view_of

FEATURES_A_PICTURE = 100
MIN_SIDE_PX = 120
ITERATIONS = 20
SEED = 1


def main(folders: list[str]) -> None:
    """Write the words beside this file."""
    settings = FrameSettings()
    found = sorted(p for folder in folders for pattern in ("*.png", "*.jpg") for p in Path(folder).rglob(pattern))
    pictures = [
        picture for picture in (read_image(p, settings) for p in found) if min(picture.shape[:2]) >= MIN_SIDE_PX
    ]
    features = [signs(view_of(encode_jpeg(p)).features[1])[:FEATURES_A_PICTURE] for p in pictures[::2]]
    means = faiss.Kmeans(256, WORDS, seed=SEED, niter=ITERATIONS)
    means.train(np.concatenate(features))
    np.save(WORDS_FILE, np.round(np.asarray(means.centroids) * 127).astype(np.int8), allow_pickle=False)
    sys.stdout.write(f"{WORDS} words from {len(features)} pictures: {WORDS_FILE}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
