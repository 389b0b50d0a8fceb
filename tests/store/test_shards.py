"""Data sets are written whole or not at all."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import DataError
from pipeline.schemas import SYNTH_REJECTED
from pipeline.store import shards
from pipeline.store.shards import MANIFEST, Manifest, read_dataset, read_manifest, write_dataset

ROWS = pa.table({"asset_id": ["a"], "stage": ["s"], "reason": ["r"], "detail": ["d"]})


def written(tmp_path: Path, table: pa.Table = ROWS) -> Path:
    folder = tmp_path / "out" / "rejected"
    write_dataset(folder, table, SYNTH_REJECTED, Manifest(len(table), "f" * 16), tmp_path / "work")
    return folder


def test_a_data_set_reads_back_as_written(tmp_path: Path) -> None:
    assert read_dataset(written(tmp_path)).to_pylist() == ROWS.to_pylist()


def test_no_rows_still_give_one_typed_shard(tmp_path: Path) -> None:
    folder = written(tmp_path, SYNTH_REJECTED.empty_table())
    assert [p.name for p in sorted(folder.iterdir())] == [MANIFEST, "part-00000.parquet"]
    assert read_dataset(folder).schema.equals(SYNTH_REJECTED)


def test_a_new_version_replaces_the_old_and_leaves_nothing_temporary(tmp_path: Path) -> None:
    written(tmp_path)
    folder = written(tmp_path, pa.concat_tables([ROWS, ROWS]))
    assert len(read_dataset(folder)) == 2
    assert list((tmp_path / "work").iterdir()) == []


def test_rows_of_a_wrong_type_leave_the_old_version_in_place(tmp_path: Path) -> None:
    folder = written(tmp_path)
    bad = ROWS.set_column(0, "asset_id", pa.array([b"\xff"]))
    with pytest.raises(pa.ArrowInvalid):
        write_dataset(folder, bad, SYNTH_REJECTED, Manifest(1, "0" * 16), tmp_path / "work")
    assert read_dataset(folder).to_pylist() == ROWS.to_pylist()


def test_a_folder_without_manifest_counts_as_absent(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / MANIFEST).unlink()
    assert read_manifest(folder) is None
    with pytest.raises(DataError, match="holds no complete data set"):
        read_dataset(folder)


def test_an_incomplete_manifest_counts_as_absent(tmp_path: Path) -> None:
    folder = written(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "complete": False}))
    assert read_manifest(folder) is None


def test_damage_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "part-00000.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="cannot be read"):
        read_dataset(folder)
    (folder / MANIFEST).write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        read_manifest(folder)


def test_shards_that_disagree_with_their_manifest_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "rows": 7}))
    with pytest.raises(DataError, match="holds 1 rows, its manifest says 7"):
        read_dataset(folder)


def test_rows_come_as_a_stream_and_fill_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "ROWS_PER_SHARD", 4)
    folder = tmp_path / "out" / "rejected"
    manifest = Manifest(0, "f" * 16)
    written_rows = write_dataset(
        folder,
        (pa.concat_tables([ROWS.slice(0, 0), *[ROWS] * n]) for n in (3, 0, 6)),
        SYNTH_REJECTED,
        manifest,
        tmp_path / "w",
    )
    assert written_rows == 9
    assert [pq.read_metadata(p).num_rows for p in sorted(folder.glob("*.parquet"))] == [4, 4, 1]
    assert len(read_dataset(folder)) == 9
