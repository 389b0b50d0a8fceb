"""One suite for every runner: same rows, same order, nothing lost."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.config import RunnerSettings
from pipeline.errors import StageError
from pipeline.runners.local import LocalRunner
from pipeline.stage import ROW, Runner, Stage, Stopwatch, counts
from tests.runners.steps import HALVE, SPREAD, Silent, die_once

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["local", "ray"])
def run(request: pytest.FixtureRequest) -> Iterator[Runner]:
    settings = RunnerSettings(kind=request.param)
    if request.param == "local":
        yield LocalRunner(settings)
        return
    import ray

    from pipeline.runners.ray import RayRunner

    yield RayRunner(settings)
    ray.shutdown()


def numbered(values: list[int]) -> pa.Table:
    return pa.table({"x": pa.array(values, pa.int64()), ROW: pa.array(range(len(values)), pa.int64())})


def test_rows_come_in_order_with_every_input_row_kept_or_rejected_once(run: Runner) -> None:
    result = pa.concat_tables(run.map([HALVE, SPREAD], numbered(list(range(100))), Silent()))
    expected = []
    for x in range(100):
        if x == 66:
            expected.append((x, None, None, "stage_error"))
        elif x % 2:
            expected.append((x, x // 2, None, "odd"))
        else:
            expected += [(x, x // 2, k, None) for k in range(1 + (x // 2) % 3)]
    rows = result.select(["x", "half", "k", "reject"]).to_pylist()
    assert [(r["x"], r["half"], r["k"], r["reject"] and r["reject"]["reason"]) for r in rows] == expected


def test_counts_add_up_at_every_stage(run: Runner) -> None:
    watch = Stopwatch(Silent())
    result = pa.concat_tables(run.map([HALVE, SPREAD], numbered(list(range(10))), watch))
    halve, spread = counts([HALVE, SPREAD], result, watch.seconds)
    assert (halve.rows_in, halve.rows_out, halve.rows_kept, halve.rejected) == (10, 10, 5, {"odd": 5})
    assert (spread.rows_in, spread.rows_out, spread.rejected) == (5, sum(1 + v % 3 for v in range(5)), {})


def test_progress_hears_of_every_row(run: Runner) -> None:
    progress = Silent()
    list(run.map([HALVE], numbered(list(range(40))), progress))
    assert progress.rows_in == {"halve": 40}
    assert (progress.begun, progress.ended) == (1, 1)


def test_no_rows_give_an_empty_table_with_all_columns(run: Runner) -> None:
    result = pa.concat_tables(run.map([HALVE, SPREAD], numbered([]), Silent()))
    assert len(result) == 0
    assert set(result.column_names) == {"x", ROW, "reject", "half", "k"}


def test_a_column_that_nobody_adds_fails_before_any_work(run: Runner) -> None:
    with pytest.raises(StageError, match="reads \\['half'\\], which no earlier stage adds"):
        list(run.map([SPREAD], numbered([1]), Silent()))


def test_an_error_of_ours_in_a_worker_arrives_as_itself(run: Runner) -> None:
    short = Stage("short", lambda t, s: t.slice(0, 0), None, reads=("x",), adds=pa.schema([]))
    with pytest.raises(StageError, match="gave 0 rows for 3"):
        list(run.map([short], numbered([2, 4, 6]), Silent()))


def test_parts_come_back_in_order(run: Runner) -> None:
    assert list(run.map_parts(abs, [-3, 2, -1])) == [3, 2, 1]


def test_a_worker_that_dies_is_replaced_and_loses_nothing(tmp_path: Path, run: Runner) -> None:
    if isinstance(run, LocalRunner):
        pytest.skip("the local runner has no workers: a death is the death of the run")
    stage = Stage("die", die_once, tmp_path / "died", ("x",), pa.schema([pa.field("alive", pa.bool_())]))
    result = pa.concat_tables(run.map([stage], numbered(list(range(50))), Silent()))
    assert result.column("x").to_pylist() == list(range(50))
    assert result.column("reject").null_count == 50
