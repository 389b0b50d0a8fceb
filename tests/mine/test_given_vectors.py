"""Vectors that somebody made: no model is loaded, and every mistake in them is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipeline.cli import mine as cli
from pipeline.errors import DataError, UsageError
from pipeline.mine import given_vectors
from pipeline.mine.given_vectors import GivenVectors
from pipeline.stage import ModelRef
from tests.mine.datasets.written import Data, beir

DATA = Data(
    {f"q{i}": f"question {i}" for i in range(4)},
    {f"d{i}": f"document {i}" for i in range(12)},
    {(f"q{i}", f"d{i}"): 1 for i in range(4)},
)


def unit(n: int, seed: int, dim: int = 8) -> np.ndarray[Any, np.dtype[np.float32]]:
    vectors = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def write(folder: Path, part: str, ids: list[Any], vectors: Any, kind: pa.DataType | None = None) -> None:
    folder.mkdir(exist_ok=True)
    rows = [list(map(float, v)) for v in vectors]
    kind = kind or pa.list_(pa.float32(), len(rows[0]))
    if kind.value_type == pa.float16():
        rows = [[np.float16(x) for x in r] for r in rows]
    pq.write_table(pa.table({"id": pa.array(ids), "vector": pa.array(rows, kind)}), folder / f"{part}_vectors.parquet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Vectors of DATA, in another order than the data set's, with one of nobody."""
    corpus = unit(12, 1)
    queries = corpus[:4] + 0.1 * unit(4, 2)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    write(tmp_path / "v", "queries", list(DATA.queries)[::-1], queries[::-1])
    write(tmp_path / "v", "corpus", [*list(DATA.corpus)[::-1], "nobody"], [*corpus[::-1], corpus[0]])
    beir(tmp_path / "data", DATA)
    return tmp_path


def run(folder: Path, *more: str) -> tuple[int, str]:
    told = ["--dataset", str(folder / "data"), "--embeddings", str(folder / "v"), "--out", str(folder / "out")]
    result = CliRunner().invoke(cli.app, [*told, "--runner", "local", *more])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def rows(folder: Path) -> list[dict[str, Any]]:
    (part,) = (folder / "out" / "mined" / "data" / "train").glob("part-*.parquet")
    found: list[dict[str, Any]] = pq.read_table(part).to_pylist()
    return found


def test_given_vectors_are_mined_without_loading_a_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(ref: ModelRef) -> object:
        raise AssertionError(f"{ref.kind} was loaded")

    monkeypatch.setattr(cli, "load", forbidden)
    monkeypatch.setattr("pipeline.models.load.load", forbidden)
    monkeypatch.setattr("pipeline.runners.apply.load", forbidden, raising=False)
    code, output = run(folder)
    assert code == 0, output
    found = rows(folder)
    assert [r["query_id"] for r in found] == list(DATA.queries)
    corpus, queries = unit(12, 1), unit(12, 1)[:4] + 0.1 * unit(4, 2)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    for i, row in enumerate(found):
        cosines = corpus @ queries[i]
        assert row["positives"][0]["score"] == pytest.approx(cosines[i], abs=1e-6)  # raw cosines
        hardest = [f"d{j}" for j in np.argsort(-cosines, kind="stable") if j != i]
        assert [n["doc_id"] for n in row["negatives"]] == hardest[: len(row["negatives"])]
        assert row["negatives"]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.large_list(pa.float32()), pa.list_(pa.float64(), 8), pa.list_(pa.float16(), 8)]
)
def test_any_list_of_floats_gives_the_same_rows(folder: Path, kind: pa.DataType) -> None:
    run(folder)
    before = rows(folder)
    for part in ("queries", "corpus"):
        table = pq.read_table(folder / "v" / f"{part}_vectors.parquet")
        write(folder / "v", part, table.column("id").to_pylist(), table.column("vector").to_pylist(), kind)
    code, output = run(folder, "--overwrite")
    assert code == 0, output
    assert [[n["doc_id"] for n in r["negatives"]] for r in rows(folder)] == [
        [n["doc_id"] for n in r["negatives"]] for r in before
    ]


def test_other_vectors_are_mined_again_and_the_same_are_not(folder: Path) -> None:
    run(folder)
    assert "nothing has changed" in run(folder)[1]
    write(folder / "v", "queries", list(DATA.queries), unit(12, 1)[:4])
    assert "nothing has changed" not in run(folder)[1]


def broken(folder: Path, vectors: Any, ids: list[Any] | None = None, kind: pa.DataType | None = None) -> str:
    write(folder / "v", "corpus", list(DATA.corpus) if ids is None else ids, vectors, kind)
    code, output = run(folder)
    assert code == 1, output
    (line,) = [one for one in output.splitlines() if one.startswith("error: ")]
    return line


def test_every_mistake_is_named_with_its_ids(folder: Path) -> None:
    vectors = unit(12, 1)
    vectors[1], vectors[2], vectors[3] = np.nan, 0, vectors[3] * 3
    vectors[4, 0] = np.inf
    line = broken(folder, vectors[:-1], list(DATA.corpus)[:-1])
    assert "2 ids have NaN or an infinity in their vector ('d1', 'd4')" in line
    assert "1 ids have a vector of zeros ('d2')" in line
    assert "1 ids have a vector that is not of length 1 ('d3'): divide" in line
    assert "1 ids have no vector ('d11')" in line
    assert "corpus_vectors.parquet" in line


def test_another_width_and_a_second_vector_are_named(folder: Path) -> None:
    ragged = [*unit(11, 1).tolist(), unit(1, 1, dim=5)[0].tolist()]
    line = broken(folder, ragged, kind=pa.list_(pa.float32()))
    assert "1 ids have a vector of another width than 8, that of the first ('d11')" in line
    twice = broken(folder, unit(13, 1), [*DATA.corpus, "d5"])
    assert "1 ids stand twice ('d5')" in twice
    assert "queries have 8 numbers, those of documents 5" in broken(folder, unit(12, 1, dim=5))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"id": ["a"], "vec": [[1.0]]}, "lacks the column 'vector'"),
        ({"id": ["a"], "vector": [[1]]}, "'vector' is list<.*int64>; write lists of float32 or float16"),
        ({"id": [1.5], "vector": [[1.0]]}, "'id' is double; write ids as text"),
    ],
)
def test_a_file_of_other_columns_is_named(tmp_path: Path, table: dict[str, Any], message: str) -> None:
    pq.write_table(pa.table(table), tmp_path / "queries_vectors.parquet")
    (tmp_path / "corpus_vectors.parquet").touch()
    with pytest.raises(DataError, match=message):
        GivenVectors(tmp_path).read("queries", pa.array(["a"]), tmp_path / "work")
    with pytest.raises(DataError, match=r"corpus_vectors\.parquet cannot be read"):
        GivenVectors(tmp_path).read("corpus", pa.array(["a"]), tmp_path / "work")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"queries_vectors\.parquet is not there"):
        GivenVectors(tmp_path).paths()


def test_vectors_of_several_tasks_at_once_are_refused(folder: Path) -> None:
    code, output = run(folder, "--task", "x")
    assert code == 2
    assert "--task names a synthesised task" in output


def test_batches_change_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = pa.array(DATA.corpus)
    whole = GivenVectors(folder / "v").read("corpus", ids, folder / "w1").vectors
    monkeypatch.setattr(given_vectors, "BATCH_ROWS", 5)
    parts = GivenVectors(folder / "v").read("corpus", ids, folder / "w2").vectors
    assert np.array_equal(whole, parts)
    assert np.array_equal(parts, unit(12, 1))
