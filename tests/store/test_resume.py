"""A map that is killed and run again gives what an undisturbed one gives."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import RunnerSettings
from pipeline.runners.local import LocalRunner
from pipeline.stage import ROW, Progress, Resources, Split, Step
from pipeline.store import resume
from pipeline.store.resume import chunked, forget, resumable_map
from tests.runners.steps import Silent, spread

SPREAD = Split(
    "spread", spread, None, ("half",), pa.schema([pa.field("k", pa.int64())]), resources=Resources(batch_rows=3)
)


class KilledError(Exception):
    """The process dies here."""


class Dying(LocalRunner):
    """Dies after some batches, and hands over rows one by one so that siblings are torn apart."""

    def __init__(self, batches: int) -> None:
        super().__init__(RunnerSettings(kind="local"))
        self.batches = batches
        self.seen = 0

    def map(self, stages: Sequence[Step], table: pa.Table, progress: Progress) -> Iterator[pa.Table]:
        self.seen = len(table)
        for batch in super().map(stages, table, progress):
            for i in range(len(batch)):
                if self.batches == 0:
                    raise KilledError
                self.batches -= 1
                yield batch.slice(i, 1)


@given(st.integers(0, 60), st.integers(1, 9))
def test_a_killed_map_goes_on_and_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, batches: int, flush: int
) -> None:
    folder = tmp_path_factory.mktemp("work") / "pass-key"
    table = pa.table({"half": pa.array(range(20), pa.int64())})
    whole = resumable_map(Dying(10**6), [SPREAD], chunked(table), folder.with_name("other-key"), Silent())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resume, "FLUSH_ROWS", flush)
        patch.setattr(resume, "CHUNK_ROWS", 1 + 2 * flush)  # a chunk may end anywhere, also at a flush
        with contextlib.suppress(KilledError):
            resumable_map(Dying(batches), [SPREAD], chunked(table), folder, Silent())
        again = Dying(10**6)
        result = resumable_map(again, [SPREAD], chunked(table), folder, Silent())
    assert result.read().to_pylist() == whole.read().to_pylist()
    assert sorted(set(result.read([ROW]).column(ROW).to_pylist())) == list(range(20))


def test_finished_rows_are_not_mapped_again(tmp_path: Path) -> None:
    table = pa.table({"half": pa.array(range(20), pa.int64())})
    resumable_map(Dying(10**6), [SPREAD], chunked(table), tmp_path / "pass-key", Silent())
    again = Dying(10**6)
    resumable_map(again, [SPREAD], chunked(table), tmp_path / "pass-key", Silent())
    assert again.seen == 0


def test_chunks_are_taken_one_at_a_time_and_progress_ends_once(tmp_path: Path) -> None:
    taken: list[int] = []

    def source() -> Iterator[pa.Table]:
        for first in range(0, 12, 4):
            yield pa.table({"half": pa.array(range(first, first + 4), pa.int64())})
            taken.append(first)

    class Watching(Silent):
        ended, begun = 0, 0

        def begin(self, stages: Sequence[str], rows: int) -> None:
            Watching.begun += rows

        def end(self) -> None:
            Watching.ended += 1

    class Slow(Dying):
        def map(self, stages: Sequence[Step], table: pa.Table, progress: Progress) -> Iterator[pa.Table]:
            assert len(taken) * 4 == int(table.column(ROW)[0].as_py())  # nothing was read ahead
            return super().map(stages, table, progress)

    result = resumable_map(Slow(10**6), [SPREAD], source(), tmp_path / "pass-key", Watching())
    assert len(set(result.read().column(ROW).to_pylist())) == 12
    assert (Watching.begun, Watching.ended) == (12, 1)


def test_a_damaged_working_shard_is_made_again_and_all_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "FLUSH_ROWS", 5)
    table = pa.table({"half": pa.array(range(20), pa.int64())})
    whole = resumable_map(Dying(10**6), [SPREAD], chunked(table), tmp_path / "pass-key", Silent()).read()
    second = sorted((tmp_path / "pass-key").iterdir())[1]
    second.write_bytes(second.read_bytes()[:50])
    again = resumable_map(Dying(10**6), [SPREAD], chunked(table), tmp_path / "pass-key", Silent()).read()
    assert again.to_pylist() == whole.to_pylist()


def test_no_rows_still_give_a_table_with_all_columns(tmp_path: Path) -> None:
    table = pa.table({"half": pa.array([], pa.int64())})
    found = resumable_map(
        LocalRunner(RunnerSettings(kind="local")), [SPREAD], chunked(table), tmp_path / "pass-key", Silent()
    ).read()
    assert (len(found), found.column_names) == (0, ["half", ROW, "k", "reject"])


def test_forgetting_removes_older_passes_of_the_same_name_only(tmp_path: Path) -> None:
    for name in ("pass-1", "pass-2", "other-1"):
        (tmp_path / name).mkdir()
    forget(tmp_path / "pass-2")
    assert [p.name for p in tmp_path.iterdir()] == ["other-1"]
