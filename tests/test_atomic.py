"""Files and folders appear whole or not at all."""

import errno
import os
import resource
from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.atomic import clear_leftovers, replacing, replacing_folder


class BrokenError(Exception):
    """Something fails while writing."""


def break_after_writing(path: Path) -> None:
    path.write_text("half")
    raise BrokenError


def test_a_file_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    for text in ("one", "two"):
        with replacing(path) as temporary:
            temporary.write_text(text)
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_a_file_stays_as_it_was_when_the_block_fails(tmp_path: Path) -> None:
    path, work = tmp_path / "a.txt", tmp_path / "work"
    path.write_text("one")
    with pytest.raises(BrokenError), replacing(path, work) as temporary:
        break_after_writing(temporary)
    assert path.read_text() == "one"
    assert list(work.iterdir()) == []


def test_a_folder_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    folder, work = tmp_path / "data" / "set", tmp_path / "work"
    for text in ("one", "two"):
        with replacing_folder(folder, work) as staging:
            (staging / text).write_text(text)
        assert [p.name for p in folder.iterdir()] == [text]
    assert list(work.iterdir()) == []


def test_a_folder_stays_as_it_was_when_the_block_fails(tmp_path: Path) -> None:
    folder, work = tmp_path / "set", tmp_path / "work"
    folder.mkdir()
    (folder / "one").write_text("one")
    with pytest.raises(BrokenError), replacing_folder(folder, work) as staging:
        break_after_writing(staging / "half")
    assert [p.name for p in folder.iterdir()] == ["one"]
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_where_there_is_no_room_is_said(tmp_path: Path, number: int, kind: str) -> None:
    def block() -> AbstractContextManager[Path]:
        return replacing(tmp_path / "a.txt") if kind == "file" else replacing_folder(tmp_path / "a", tmp_path)

    with pytest.raises(OSError) as caught, block():  # noqa: PT011 - its number is asserted
        raise OSError(number, "Error writing bytes to file. Detail: [errno 28] No space left on device")
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path))
    assert caught.value.strerror == os.strerror(number)


def test_room_that_arrow_lacks_is_said_too(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large") as caught, replacing(tmp_path / "a.parquet") as temporary:
            pq.write_table(pa.table({"a": range(100_000)}), temporary)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == str(tmp_path)


def test_leftovers_of_a_dead_process_are_cleared_and_nothing_else(tmp_path: Path) -> None:
    for name in ("staging-1", "retired-2", "structure-abc"):
        (tmp_path / name).mkdir()
    clear_leftovers(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["structure-abc"]
