from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.config import FrameSettings
from pipeline.errors import ModelError
from pipeline.mine.embed import EmbedSource
from pipeline.mine.rerank import ASKED, rerank_pairs
from pipeline.models.protocols import Item, Vectors
from tests.mine.planted import paint


class Lengths:
    """A reranker whose logit is the number of letters of the query, plus 100 for a picture."""

    fingerprint = "lengths"

    def score(self, pairs: Sequence[tuple[str, Item, Item]]) -> Vectors:
        return np.array([len(q.text or "") + 100 * (d.pixels is not None) for _, q, d in pairs], np.float32)


def asked(*pairs: tuple[str, str]) -> pa.Table:
    blank = {"text": None, "image": None, "video": None, "start_s": None, "end_s": None}
    rows: list[dict[str, Any]] = [
        {
            "key": str(i),
            "instruction": "Find it.",
            "query": {**blank, "text": query},
            "document": {**blank, "image": image},
            "document_frames": f"frames-{i}",
        }
        for i, (query, image) in enumerate(pairs)
    ]
    return pa.Table.from_pylist([{"query_frames": None, **r} for r in rows], schema=ASKED)


def source(out: Path) -> EmbedSource:
    return EmbedSource(out, out / "media", FrameSettings(), "lengths")


def test_pairs_keep_their_order_and_one_that_cannot_be_read_is_rejected_with_the_reason(tmp_path: Path) -> None:
    paint(tmp_path / "media", red=(255, 0, 0))
    got = rerank_pairs(asked(("a", "red.png"), ("bb", "gone.png"), ("ccc", "red.png")), source(tmp_path), Lengths())
    assert got.column("logit").to_pylist() == [101.0, None, 103.0]
    reasons = [r and r["reason"] for r in got.column("reject").to_pylist()]
    assert reasons == [None, "missing", None]


def test_a_worker_with_another_model_is_an_error(tmp_path: Path) -> None:
    other = EmbedSource(tmp_path, None, FrameSettings(), "another")
    with pytest.raises(ModelError, match="the run began with another"):
        rerank_pairs(asked(), other, Lengths())
