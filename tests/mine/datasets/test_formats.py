"""Whatever format a data set is written in, it is mined to the same rows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mine.datasets.mining import mined
from tests.mine.datasets.written import FORMATS, Data
from tests.mine.planted import WORDS

TEXTS = st.lists(st.sampled_from([*WORDS, "Straße", "“quoted”", "a,b", "赤"]), min_size=1, max_size=4).map(" ".join)


@st.composite
def data_sets(draw: st.DrawFn) -> Data:
    """Every query has a positive, every document is judged: what a file of pairs can say."""
    queries = {f"q{i}": text for i, text in enumerate(draw(st.lists(TEXTS, min_size=1, max_size=4)))}
    corpus = {f"d{i}": text for i, text in enumerate(draw(st.lists(TEXTS, min_size=1, max_size=8)))}
    grades = {(draw(st.sampled_from(list(queries))), d): draw(st.integers(0, 2)) for d in corpus}
    grades |= {(q, draw(st.sampled_from(list(corpus)))): 1 for q in queries}
    return Data(queries, corpus, dict(sorted(grades.items())))


@settings(max_examples=3, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=data_sets())
def test_every_format_is_mined_to_the_same_rows(data: Data) -> None:
    found = {}
    for name, write in FORMATS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name.replace(" ", "-")
            write(path, data)
            found[name] = mined(Path(folder) / "out", path)
    first = found.pop("beir")
    assert {r["query_id"] for rows in first.values() for r in rows} == set(data.queries)
    for name, rows in found.items():
        assert rows == first, name


@pytest.mark.parametrize("name", [n for n in FORMATS if n not in ("mteb", "beir", "beir gz", "saved retrieval")])
def test_positives_of_repeated_queries_are_united(tmp_path: Path, name: str) -> None:
    data = Data({"q": "red"}, {"a": "red", "b": "red pink", "c": "blue"}, {("q", "a"): 1, ("q", "b"): 2, ("q", "c"): 0})
    FORMATS[name](tmp_path / name, data)
    (row,) = mined(tmp_path / "out", tmp_path / name)["train"]
    assert [p["doc_id"] for p in row["positives"]] == ["a", "b"]
    assert [(n["doc_id"], n["source"]) for n in row["negatives"]] == [("c", "given")]
