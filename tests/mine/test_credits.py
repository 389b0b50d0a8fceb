"""The media of training rows against a plain loop."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mine.credits import sources
from pipeline.schemas import ASSETS, TRAIN

CONTENT = st.builds(lambda uri, kind: {kind: uri}, st.sampled_from("abcd"), st.sampled_from(["image", "video", "text"]))
LISTS = st.lists(st.builds(lambda c: {"content": c}, CONTENT), max_size=4)
POOL = [{"uri": "a", "licence": "CC0", "author": None, "origin": "o"}] * 2 + [{"uri": "b", "author": "Ann"}]


@given(st.lists(st.tuples(CONTENT, LISTS, LISTS), max_size=5))
def test_each_medium_of_a_row_once_in_order_of_appearance(rows: list[tuple[dict, list, list]]) -> None:
    values = [{"query": q, "positives": p, "negatives": n} for q, p, n in rows]
    train = pa.Table.from_pylist(values, schema=TRAIN)
    expected = []
    for query, positives, negatives in rows:
        contents = [query, *(d["content"] for d in [*positives, *negatives])]
        uris = dict.fromkeys(u for c in contents if (u := c.get("image") or c.get("video")))
        blank = {"licence": None, "author": None, "origin": None}
        known = {p["uri"]: p for p in POOL}
        expected.append([{**blank, "uri": u, **known.get(u, {})} for u in uris])
    assert sources(train, pa.Table.from_pylist(POOL, schema=ASSETS)).to_pylist() == expected
