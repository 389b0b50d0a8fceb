"""One maker of a file at a time, and nothing left behind."""

import threading
from pathlib import Path

import pytest

from pipeline.errors import MediaError
from pipeline.media.exclusive import making


def write(path: Path, data: bytes, failure: OSError | None = None) -> None:
    with making(path, 1) as file:
        assert file is not None
        assert not path.exists()
        file.write(data)
        if failure is not None:
            raise failure


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a" / "x.bin"
    with pytest.raises(OSError, match="full"):
        write(path, b"half", OSError("full"))
    assert list(path.parent.iterdir()) == []
    write(path, b"whole")
    assert list(path.parent.iterdir()) == [path]
    with making(path, 1) as file:
        assert file is None
    with making(path, 1, again=True) as file:
        assert file is not None
        file.write(b"anew")
    assert path.read_bytes() == b"anew"


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".x.bin.part").write_bytes(b"a long half of something")
    write(tmp_path / "x.bin", b"x")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x.bin", b"x")]


def test_waiting_for_another_has_an_end(tmp_path: Path) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with making(tmp_path / "x", 1):
            held.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    with pytest.raises(MediaError, match="another process is still fetching it after"), making(tmp_path / "x", 0.1):
        pass
    done.set()
    thread.join()
    assert (tmp_path / "x").exists()
