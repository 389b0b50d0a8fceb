"""Files and folders appear whole or not at all."""

from pathlib import Path

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


def test_leftovers_of_a_dead_process_are_cleared_and_nothing_else(tmp_path: Path) -> None:
    for name in ("staging-1", "retired-2", "structure-abc"):
        (tmp_path / name).mkdir()
    clear_leftovers(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["structure-abc"]
