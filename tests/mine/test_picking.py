from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mine.keys import Marks, mixed
from pipeline.mine.picking import Picking, pick
from pipeline.mine.pool import FREE, Pool
from pipeline.mine.ragged import Ints

DOCS = 10
GRID = st.integers(0, 8).map(lambda n: n / 8)


@dataclass(frozen=True)
class One:
    """A candidate of a query."""

    document: int
    score: float
    blocked: bool
    explicit: bool


MARKS = Marks(
    mixed(np.arange(100, 140, dtype=np.uint64)), mixed(np.arange(DOCS, dtype=np.uint64)), np.arange(DOCS) // 2
)


@st.composite
def queries(draw: st.DrawFn) -> list[list[One]]:
    def query() -> list[One]:
        documents = draw(st.lists(st.integers(0, DOCS - 1), unique=True, max_size=DOCS))
        return [One(d, draw(GRID), draw(st.booleans()), draw(st.booleans())) for d in documents]

    return [query() for _ in range(draw(st.integers(1, 4)))]


def pool(asked: list[list[One]], first: int = 0) -> Pool:
    """As `refine` gives it: recalled ones by score falling, ranks from 1."""
    ranked = [sorted(q, key=lambda c: (-c.score, c.document)) for q in asked]
    flat = [(i, r, c) for i, q in enumerate(ranked, first) for r, c in enumerate(q, 1)]
    return Pool(
        np.array([i - first for i, _, _ in flat], np.int64),
        np.array([c.document for _, _, c in flat], np.int64),
        np.array([c.score for _, _, c in flat], np.float32),
        np.array([r for _, r, _ in flat], np.int64),
        np.array([7 if c.blocked else FREE for _, _, c in flat], np.uint8),
        np.array([c.explicit for _, _, c in flat], bool),
    )


def slow(asked: list[One], i: int, picking: Picking) -> tuple[list[int], int]:
    """The choice for query i in plain loops: documents in order of preference, and hits."""

    def preferred(some: list[One]) -> list[One]:
        hard = sorted(some, key=lambda c: (-c.score, c.document))
        if picking.strategy == "window":
            drawn = mixed(MARKS.query[i : i + 1] ^ MARKS.document)
            hard = sorted(some, key=lambda c: (int(drawn[c.document]), c.document))
        elif picking.strategy == "spread" and hard:
            top, width = hard[0].score, hard[0].score - hard[-1].score
            bands: list[list[One]] = [[] for _ in range(picking.bands)]
            for c in hard:
                bands[min(int((top - c.score) / width * picking.bands), picking.bands - 1) if width else 0].append(c)
            hard = [b[t] for t in range(len(hard)) for b in bands if t < len(b)]
        first = [c for c in hard if c.explicit][: ceil(picking.explicit_share * picking.negatives)]
        return [*first, *(c for c in hard if c not in first)]

    hits = sum(c.blocked for c in preferred(asked)[: picking.negatives])
    chosen: list[One] = []
    for c in preferred([c for c in asked if not c.blocked]):
        same = any(MARKS.group[c.document] == MARKS.group[other.document] for other in chosen)
        if not (picking.distinct and same):
            chosen.append(c)
    return [c.document for c in chosen[: picking.limit]], hits


PICKINGS = st.builds(
    Picking,
    negatives=st.integers(0, 5),
    strategy=st.sampled_from(["top", "window", "spread"]),
    bands=st.integers(1, 4),
    explicit_share=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    distinct=st.booleans(),
    proposed=st.sampled_from([None, 3, 8]),
)


def keys(n: int, first: int = 0) -> Ints:
    return MARKS.query[first : first + n]


@given(queries(), PICKINGS)
def test_picking_agrees_with_a_plain_loop(asked: list[list[One]], picking: Picking) -> None:
    got, hits = pick(pool(asked), len(asked), picking, keys(len(asked)), MARKS)
    expected = [slow(q, i, picking) for i, q in enumerate(asked)]
    lists = np.split(got.documents, got.offsets[1:-1])
    assert [x.tolist() for x in lists] == [e[0] for e in expected]
    assert hits[7] == sum(e[1] for e in expected)
    scores = [{c.document: c.score for c in q} for q in asked]
    assert got.scores.tolist() == [scores[r][d] for r, d in zip(got.rows.tolist(), got.documents.tolist(), strict=True)]


@given(queries(), PICKINGS, st.data())
def test_picking_does_not_depend_on_blocks(asked: list[list[One]], picking: Picking, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(asked)))
    whole, hits = pick(pool(asked), len(asked), picking, keys(len(asked)), MARKS)
    parts = [pick(pool(asked[a:b], a), b - a, picking, keys(b - a, a), MARKS) for a, b in ((0, cut), (cut, len(asked)))]
    assert np.concatenate([p.documents for p, _ in parts]).tolist() == whole.documents.tolist()
    assert sum(h for _, h in parts).tolist() == hits.tolist()  # type: ignore[union-attr]


def test_a_window_is_an_even_sample() -> None:
    n = 4000
    wide = Marks(mixed(np.arange(n, dtype=np.uint64)), MARKS.document, MARKS.group)
    everyone = [[One(d, d / 8, False, False) for d in range(8)]] * n
    got, _ = pick(pool(everyone), n, Picking(2, "window"), wide.query, wide)
    counts = np.bincount(got.documents, minlength=8)
    assert counts.sum() == 2 * n
    assert abs(counts - n / 4).max() < 150  # standard deviation 27


def test_drawing_without_keys_is_an_error() -> None:
    with pytest.raises(ValueError, match="marks"):
        pick(pool([[]]), 1, Picking(1, "window"), None, None)
