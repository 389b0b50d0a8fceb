"""A medium that a source names twice counts once."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from pipeline.seed_pool.sources import repeats
from pipeline.seed_pool.sources.repeats import once
from pipeline.seed_pool.sources.rows import Found


def test_the_first_row_stands_for_the_medium_and_later_ones_are_rejects_under_their_own_names() -> None:
    rows = [Found(uri, None, {"source_caption": str(i)}, row=f"l.csv/{i}/path") for i, uri in enumerate("abaa")]
    found = list(once(rows))
    assert [f.uri for f in found] == ["a", "b", "l.csv/2/path", "l.csv/3/path"]
    assert [f.verdict and f.verdict[0] for f in found] == [None, None, "duplicate", "duplicate"]
    assert found[2].verdict == ("duplicate", "l.csv/2/path names a again; the row that did so first stands for it")
    assert found[0].known == {"source_caption": "0"}
    assert found[3].known == {}


def test_a_repeat_keeps_the_reject_it_has_and_gets_a_name_where_it_has_no_row() -> None:
    found = list(once([Found("t.tar/a.jpg"), Found("t.tar/a.jpg", ("repeated_member", "twice"))]))
    assert [(f.uri, f.verdict and f.verdict[0]) for f in found] == [
        ("t.tar/a.jpg", None), ("t.tar/a.jpg#1", "repeated_member"),
    ]  # fmt: skip


@given(st.lists(st.integers(0, 30), max_size=80), st.integers(1, 7))
def test_batches_change_nothing_and_no_row_is_lost(numbers: list[int], batch: int) -> None:
    whole, repeats._BATCH_ROWS = repeats._BATCH_ROWS, batch
    try:
        found = list(once(Found(str(n)) for n in numbers))
    finally:
        repeats._BATCH_ROWS = whole
    assert len(found) == len({f.uri for f in found}) == len(numbers)
    assert [f.uri for f in found if f.verdict is None] == list(dict.fromkeys(map(str, numbers)))


def test_ten_million_rows_are_remembered_in_eight_bytes_each() -> None:
    def listing() -> Iterator[Found]:
        for i in itertools.count():
            yield Found(f"https://example.org/{i:08d}.jpg")

    def kept(rows: int) -> int:
        tracemalloc.start()
        stream = once(listing())
        for _ in itertools.islice(stream, rows):
            pass
        bytes_now = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return bytes_now

    few, many = 40_960, 122_880
    assert kept(many) - kept(few) < 10 * (many - few)
