"""The figure that alignment is judged by: of the description, and of a caption where one came along."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import Calibration
from pipeline.runners.apply import apply_step
from pipeline.seed_pool.similarity import SimilaritySource, similarity
from pipeline.stage import ModelRef
from tests.seed_pool.media_rows import picture, source, table

PLAIN = Calibration()


class Scripted:
    """Pictures lie along the first axis; a text has the cosine to them that it spells."""

    fingerprint = "scripted"

    def __init__(self):
        self.texts = []

    def embed(self, items, instruction=""):
        self.texts += [i.text for i in items if i.text is not None]
        cosines = [1.0 if i.pixels else float(i.text) for i in items]
        return np.array([(c, (1 - c * c) ** 0.5) for c in cosines], np.float32).reshape(len(items), 2)


def alignments(folder: Path, *said, captions=True, calibration=PLAIN):
    """Of pictures of which a description and perhaps a caption are said."""
    rows = [
        picture(folder, f"p{i}", description=description, source_caption=caption)
        for i, (description, caption) in enumerate(said)
    ]
    model = Scripted()
    stage = similarity(SimilaritySource(source(folder), calibration, captions), ModelRef("embedder", None))
    return apply_step(stage, table(rows), model).column("alignment").to_pylist(), model


def test_without_a_caption_the_description_counts(tmp_path):
    found, model = alignments(tmp_path, ("0.5", None), ("0.25", "  "))
    assert found == pytest.approx([0.5, 0.25])
    assert model.texts == ["0.5", "0.25"]


def test_with_a_caption_the_lower_of_the_two_counts(tmp_path):
    found, _ = alignments(tmp_path, ("0.5", "0.25"), ("0.25", "0.5"), ("0.75", None))
    assert found == pytest.approx([0.25, 0.25, 0.75])


def test_captions_can_be_left_out(tmp_path):
    found, model = alignments(tmp_path, ("0.5", "0.25"), captions=False)
    assert found == pytest.approx([0.5])
    assert model.texts == ["0.5"]


def test_the_figure_is_calibrated(tmp_path):
    halved = Calibration(cosine=(-1.0, 0.5, 1.0), score=(-1.0, 0.25, 1.0))
    assert alignments(tmp_path, ("0.5", None), calibration=halved)[0] == pytest.approx([0.25])
