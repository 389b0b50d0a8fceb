from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.errors import DataError
from pipeline.report import read
from pipeline.store.shards import ROWS_PER_SHARD, Manifest, write_dataset

NUMBERS = pa.schema([pa.field("n", pa.int64()), pa.field("text", pa.string())])


def write(folder: Path, rows: int) -> None:
    table = pa.table({"n": range(rows), "text": [f"t{i}" for i in range(rows)]})
    write_dataset(folder, table, NUMBERS, Manifest(rows, "f"), folder.parent / ".work")


def test_batches_give_all_rows_in_order_with_the_wanted_columns_only(tmp_path: Path) -> None:
    write(tmp_path / "d", 20)
    tables = list(read.batches(tmp_path / "d", ["n"], rows=8))
    assert [len(t) for t in tables] == [8, 8, 4]
    assert pa.concat_tables(tables).to_pydict() == {"n": list(range(20))}


def test_rows_are_taken_across_shards_in_the_order_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "d", ROWS_PER_SHARD + 10)
    wanted = [ROWS_PER_SHARD + 3, 1500, 0, ROWS_PER_SHARD]
    assert [r["n"] for r in read.take(tmp_path / "d", wanted, ["n"])] == wanted


def test_empty_data_set_gives_no_rows(tmp_path: Path) -> None:
    write(tmp_path / "d", 0)
    assert sum(map(len, read.batches(tmp_path / "d", ["n"]))) == 0
    assert read.take(tmp_path / "d", [], ["n"]) == []


def test_missing_column_is_named(tmp_path: Path) -> None:
    write(tmp_path / "d", 3)
    with pytest.raises(DataError, match=r"part-00000\.parquet lacks the columns \['score'\]"):
        list(read.batches(tmp_path / "d", ["n", "score"]))


def test_damaged_shard_is_named(tmp_path: Path) -> None:
    write(tmp_path / "d", 3)
    (tmp_path / "d/part-00000.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=r"part-00000\.parquet cannot be read"):
        list(read.batches(tmp_path / "d", ["n"]))


def test_missing_summary_is_empty_and_a_damaged_one_an_error(tmp_path: Path) -> None:
    assert read.summary(tmp_path) == {}
    (tmp_path / "summary.json").write_text("[1]")
    with pytest.raises(DataError, match="holds a list"):
        read.summary(tmp_path)
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        read.summary(tmp_path)


def test_only_complete_data_sets_are_listed(tmp_path: Path) -> None:
    write(tmp_path / "mined/b/train", 1)
    write(tmp_path / "mined/a/train", 2)
    (tmp_path / "mined/half/train").mkdir(parents=True)
    (tmp_path / "mined/.hidden").mkdir()
    assert [(name, m.rows) for name, m in read.data_sets(tmp_path / "mined", "train")] == [("a", 2), ("b", 1)]
    assert read.data_sets(tmp_path / "nothing", "train") == []


def test_setting_is_looked_up_by_dotted_key() -> None:
    assert read.setting({"mine": {"t_pos": 0.6}}, "mine.t_pos") == 0.6
    assert read.setting({"mine": {}}, "mine.t_pos") is None
    assert read.setting({"mine": 3}, "mine.t_pos") is None
