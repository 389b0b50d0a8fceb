"""The law of a step, enforced on one batch."""

import errno
import os

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MediaError, ModelError, StageError, StorageError
from pipeline.runners.apply import apply_step
from pipeline.schemas import REJECT
from pipeline.stage import PARENT, Split, Stage, rejects

DOUBLE = pa.schema([pa.field("double", pa.int64())])


def double(table: pa.Table, settings: object) -> pa.Table:
    values = table.column("x").to_pylist()
    if any(v == 13 for v in values):
        raise ValueError("thirteen")
    verdicts = [("odd", f"{v} is odd") if v % 2 else None for v in values]
    return pa.table({"double": [2 * v for v in values], "reject": rejects("double", verdicts)})


STAGE = Stage("double", double, None, reads=("x",), adds=DOUBLE)


def repeat(table: pa.Table, settings: object) -> pa.Table:
    rows = [(i, v, k) for i, v in enumerate(table.column("x").to_pylist()) for k in range(max(1, v % 4))]
    verdicts = [("none", "nothing inside") if v % 4 == 0 else None for _, v, _ in rows]
    parents, numbers = [i for i, _, _ in rows], [k for _, _, k in rows]
    return pa.table({PARENT: pa.array(parents, pa.int32()), "k": numbers, "reject": rejects("repeat", verdicts)})


SPLIT = Split("repeat", repeat, None, reads=("x",), adds=pa.schema([pa.field("k", pa.int64())]))


def table(values: list[int]) -> pa.Table:
    return pa.table({"x": pa.array(values, pa.int64()), "name": [f"row {i}" for i in range(len(values))]})


def test_a_stage_adds_its_columns_and_its_rejects() -> None:
    result = apply_step(STAGE, table([2, 3]))
    assert result.column("double").to_pylist() == [4, 6]
    assert result.column("reject").to_pylist() == [None, {"stage": "double", "reason": "odd", "detail": "3 is odd"}]
    assert result.column("name").to_pylist() == ["row 0", "row 1"]


def test_only_the_row_that_fails_becomes_a_stage_error() -> None:
    result = apply_step(STAGE, table([2, 13, 4]))
    assert result.column("double").to_pylist() == [4, None, 8]
    reject = result.column("reject").to_pylist()
    assert reject[0] is None
    assert reject[2] is None
    assert reject[1] == {"stage": "double", "reason": "stage_error", "detail": "ValueError: thirteen"}


def test_only_the_parent_that_fails_in_a_split_becomes_a_stage_error() -> None:
    def fragile(rows: pa.Table, settings: object) -> pa.Table:
        if 13 in rows.column("x").to_pylist():
            raise ValueError("thirteen")
        return repeat(rows, settings)

    result = apply_step(Split("repeat", fragile, None, reads=("x",), adds=SPLIT.adds), table([3, 13, 2]))
    assert result.column("x").to_pylist() == [3, 3, 3, 13, 2, 2]
    assert [r and r["reason"] for r in result.column("reject").to_pylist()] == [None] * 3 + ["stage_error"] + [None] * 2


def test_a_medium_that_a_stage_cannot_use_is_rejected_with_its_own_reason() -> None:
    def picky(rows: pa.Table, settings: object) -> pa.Table:
        if 13 in rows.column("x").to_pylist():
            raise MediaError("truncated", "13 bytes")
        return pa.table({"double": rows.column("x")})

    result = apply_step(Stage("picky", picky, None, reads=("x",), adds=DOUBLE), table([2, 13, 4]))
    assert result.column("reject").to_pylist() == [
        None,
        {"stage": "picky", "reason": "truncated", "detail": "13 bytes"},
        None,
    ]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EMFILE, errno.EIO, errno.ENOTDIR])
def test_what_is_wrong_with_the_machine_stops_the_run_and_rejects_nobody(code: int) -> None:
    def writes(rows: pa.Table, settings: object) -> pa.Table:
        raise OSError(code, os.strerror(code), "/out/cache")

    with pytest.raises(StorageError, match="'writes' cannot go on"):
        apply_step(Stage("writes", writes, None, reads=("x",), adds=DOUBLE), table([2, 4]))


def test_rejected_rows_are_not_shown_to_the_function_and_keep_their_place() -> None:
    seen: list[int] = []

    def watch(rows: pa.Table, settings: object) -> pa.Table:
        assert rows.column_names == ["x"]
        seen.extend(rows.column("x").to_pylist())
        return pa.table({"double": rows.column("x")})

    first = apply_step(STAGE, table([1, 2, 3, 4]))
    result = apply_step(Stage("watch", watch, None, reads=("x",), adds=DOUBLE), first)
    assert seen == [2, 4]
    assert result.column("x").to_pylist() == [1, 2, 3, 4]
    assert [r is None for r in result.column("reject").to_pylist()] == [False, True, False, True]


def test_wide_columns_of_rejected_rows_are_dropped() -> None:
    wide = table([1, 2]).append_column("pixels", pa.array([b"abc", b"def"]))
    assert apply_step(STAGE, wide).column("pixels").to_pylist() == [None, b"def"]


def test_a_split_keeps_every_parent_and_their_order() -> None:
    result = apply_step(SPLIT, table([3, 4, 1]))
    assert result.column("name").to_pylist() == ["row 0"] * 3 + ["row 1", "row 2"]
    assert result.column("k").to_pylist() == [0, 1, 2, 0, 0]
    assert [r and r["reason"] for r in result.column("reject").to_pylist()] == [None, None, None, "none", None]


@pytest.mark.parametrize(
    ("result", "complaint"),
    [
        (pa.table({"double": [1]}), "gave 1 rows for 2"),
        (pa.table({"other": [1, 2]}), "did not add"),
        (pa.table({"double": ["a", "b"]}), "is not int64"),
    ],
)
def test_a_function_that_breaks_the_law_stops_the_run(result: pa.Table, complaint: str) -> None:
    stage = Stage("bad", lambda t, s: result, None, reads=("x",), adds=DOUBLE)
    with pytest.raises(StageError, match=complaint):
        apply_step(stage, table([2, 4]))


def test_a_split_that_loses_a_parent_stops_the_run() -> None:
    lossy = pa.table({PARENT: pa.array([0, 0], pa.int32()), "k": [1, 2]})
    split = Split("lossy", lambda t, s: lossy, None, reads=("x",), adds=SPLIT.adds)
    with pytest.raises(StageError, match="lost, invented or reordered"):
        apply_step(split, table([1, 2]))


def test_a_broken_model_and_a_full_disk_stop_the_run_instead_of_rejecting_rows() -> None:
    def broken(rows: pa.Table, settings: object) -> pa.Table:
        raise ModelError("weights are damaged")

    def full(rows: pa.Table, settings: object) -> pa.Table:
        raise OSError(28, "No space left on device")

    with pytest.raises(ModelError):
        apply_step(Stage("broken", broken, None, reads=("x",), adds=DOUBLE), table([1]))
    with pytest.raises(StorageError, match="No space left"):
        apply_step(Stage("full", full, None, reads=("x",), adds=DOUBLE), table([1]))


@given(st.lists(st.integers(0, 20), max_size=30), st.integers(1, 7))
def test_no_row_is_lost_or_invented_however_the_batches_are_cut(values: list[int], size: int) -> None:
    def through(rows: pa.Table) -> pa.Table:
        return apply_step(SPLIT, apply_step(STAGE, rows))

    whole = through(table(values))
    parts = [through(table(values).slice(i, size)) for i in range(0, len(values), size)]
    if parts:
        assert pa.concat_tables(parts).to_pylist() == whole.to_pylist()
    names = whole.column("name").to_pylist()
    assert sorted(set(names)) == sorted(f"row {i}" for i in range(len(values)))
    rejected = [n for n, r in zip(names, whole.column("reject").to_pylist(), strict=True) if r]
    assert len(rejected) == len(set(rejected))
    assert whole.schema.field("reject").type == REJECT
