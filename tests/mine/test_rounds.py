from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.errors import UsageError
from pipeline.mine.rounds import Changes, PairScores, Round, changes, read_round
from pipeline.schemas import MINE_REJECTED, TRAIN, conform

T_POS = 0.6
Kept = dict[str, tuple[dict[str, float], dict[str, float]]]  # query -> positives and negatives with their scores


def mined(kept: Kept, rejected: dict[str, str]) -> Round:
    train = [
        {
            "query_id": q,
            "positives": [{"doc_id": d, "score": s} for d, s in positives.items()],
            "negatives": [{"doc_id": d, "score": s} for d, s in negatives.items()],
            "positive_mean": sum(positives.values()) / len(positives),
        }
        for q, (positives, negatives) in kept.items()
    ]
    lost = [{"query_id": q, "stage": "refine", "reason": r} for q, r in rejected.items()]
    named = [pa.Table.from_pylist(rows, schema) for rows, schema in ((train, TRAIN), (lost, MINE_REJECTED))]
    return Round(*(conform(table, table.schema) for table in named))


def scorer(scores: dict[tuple[str, str], float]) -> PairScores:
    def of(queries: pa.Array, documents: pa.Array) -> NDArray[np.float32]:
        pairs = zip(queries.to_pylist(), documents.to_pylist(), strict=True)
        return np.array([scores.get(pair, np.nan) for pair in pairs], np.float32)

    return of


def said(kept: Kept) -> dict[tuple[str, str], float]:
    return {(q, d): s for q, lists in kept.items() for documents in lists for d, s in documents.items()}


def test_queries_come_and_go_with_the_reason_they_went() -> None:
    before = mined({"a": ({"p": 0.8}, {}), "b": ({"p": 0.8}, {}), "c": ({"p": 0.8}, {})}, {"d": "no_positive_in_top_k"})
    now = mined({"a": ({"p": 0.8}, {}), "d": ({"p": 0.7}, {})}, {"b": "positive_below_t_pos"})
    found = changes(before, now, scorer({}), T_POS)
    assert (found.kept_before, found.kept_now, found.gained, found.lost) == (3, 2, 1, 2)
    assert found.lost_by_reason == {"gone": 1, "positive_below_t_pos": 1}


def test_what_a_newer_model_says_of_old_pairs_is_counted() -> None:
    before = mined({"a": ({"p": 0.8, "r": 0.7}, {"x": 0.5, "y": 0.6, "z": 0.7, "w": 0.1})}, {})
    now = mined({"a": ({"p": 0.7}, {"x": 0.5})}, {})
    scores = {("a", "p"): 0.7, ("a", "r"): 0.6, ("a", "x"): 0.5, ("a", "y"): 0.7, ("a", "z"): 0.69}
    found = changes(before, now, scorer(scores), T_POS)
    assert (found.positives, found.positives_fallen) == (2, 1)  # 0.6 is not above t+
    assert (found.negatives, found.negatives_risen, found.negatives_again) == (3, 1, 1)


@given(
    st.dictionaries(
        st.sampled_from("abcd"),
        st.tuples(
            st.dictionaries(st.sampled_from("pqr"), st.floats(0.625, 1, width=16), min_size=1),
            st.dictionaries(st.sampled_from("xyz"), st.floats(-1, 0.625, width=16)),
        ),
    )
)
def test_two_identical_rounds_differ_by_nothing(kept: Kept) -> None:
    same = mined(kept, {"e": "no_positive_in_top_k"})
    found = changes(same, same, scorer(said(kept)), T_POS)
    n = sum(len(negatives) for _, negatives in kept.values())
    p = sum(len(positives) for positives, _ in kept.values())
    assert found == Changes(len(kept), len(kept), 0, 0, {}, p, 0, n, 0, n)


def test_a_folder_without_a_round_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no mined image_qa"):
        read_round(tmp_path, "image_qa")
