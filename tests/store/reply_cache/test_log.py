"""A log gives back what any process kept, whole, whatever happened to its files."""

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.models.protocols import Reply
from pipeline.store.reply_cache.entries import Entry, to_line
from pipeline.store.reply_cache.log import ReplyLog, segments

ROOT = Path(__file__).parents[3]


def key(i: int) -> str:
    return f"{i:064x}"[::-1]


def entry(i: int, text: str = "", at: str = "2026-01-01T00:00:00Z") -> Entry:
    return Entry(key(i), "m", (f"a{i}",), at, Reply(text or f"text {i}", "stop"))


def keep(log: ReplyLog, *entries: Entry) -> None:
    with log.appending() as kept:
        for one in entries:
            kept.add(one)


def texts(log: ReplyLog, *wanted: int) -> list[str]:
    return sorted(e.reply.text for e in log.find(key(i) for i in wanted).values())


def test_what_one_process_keeps_another_finds_at_its_next_look(tmp_path: Path) -> None:
    ours, theirs = ReplyLog(tmp_path), ReplyLog(tmp_path)
    assert theirs.find([key(1)]) == {}
    with ours.appending() as kept:
        kept.add(entry(1))
        assert theirs.find([key(1), key(2)]) == {key(1): entry(1)}  # before the block ends
        kept.add(entry(2))
    keep(theirs, entry(3))
    for log in (ours, theirs, ReplyLog(tmp_path)):
        assert texts(log, 1, 2, 3, 4) == ["text 1", "text 2", "text 3"]
    assert len(segments(tmp_path)) == 2


def test_nothing_kept_is_no_file(tmp_path: Path) -> None:
    keep(ReplyLog(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_a_line_that_was_cut_off_is_absent_and_costs_no_other(tmp_path: Path) -> None:
    log = ReplyLog(tmp_path)
    keep(log, entry(1), entry(2))
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    assert texts(log, 1, 2) == ["text 1"]
    keep(log, entry(3))
    keep(log, entry(2, "again"))
    for one in (log, ReplyLog(tmp_path)):
        assert texts(one, 1, 2, 3) == ["again", "text 1", "text 3"]


@pytest.mark.parametrize("at", [0, 9, 80, 150, 200])
def test_a_damaged_line_is_absent_and_its_neighbours_are_not(tmp_path: Path, at: int) -> None:
    keep(ReplyLog(tmp_path), entry(1), entry(2), entry(3))
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(to_line(entry(1))) + at] ^= 1
    path.write_bytes(data)
    log = ReplyLog(tmp_path)
    assert texts(log, 1, 2, 3) == ["text 1", "text 3"]
    keep(log, entry(2, "again"))
    assert texts(log, 1, 2, 3) == ["again", "text 1", "text 3"]


def test_zeros_where_a_machine_lost_power_are_absent(tmp_path: Path) -> None:
    keep(ReplyLog(tmp_path), entry(1), entry(2))
    (path,) = segments(tmp_path)
    size = len(to_line(entry(1)))
    path.write_bytes(path.read_bytes()[: size + 5] + bytes(4096))
    assert texts(ReplyLog(tmp_path), 1, 2) == ["text 1"]


def test_keys_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    log = ReplyLog(tmp_path)
    alike = [Entry("0" * 16 + f"{i:048x}", "m", (), "", Reply(str(i), "stop")) for i in range(3)]
    keep(log, *alike)
    assert log.find([alike[1].key]) == {alike[1].key: alike[1]}


def test_of_several_answers_to_one_question_the_first_in_time_stays(tmp_path: Path) -> None:
    for at, text in (("2026-01-02T00:00:00Z", "second"), ("2026-01-01T00:00:00Z", "first")):
        keep(ReplyLog(tmp_path), entry(1, text, at))
        keep(ReplyLog(tmp_path), entry(1, f"{text}, other", at))
    assert texts(ReplyLog(tmp_path), 1) == ["first"]


def test_segments_that_are_replaced_or_deleted_meanwhile_are_read_anew(tmp_path: Path) -> None:
    log, other = ReplyLog(tmp_path), ReplyLog(tmp_path)
    keep(other, entry(1), entry(2))
    assert texts(log, 1, 2) == ["text 1", "text 2"]
    (path,) = segments(tmp_path)
    new = tmp_path / "new"
    new.write_bytes(to_line(entry(2)))
    new.replace(path)
    assert texts(log, 1, 2) == ["text 2"]
    shutil.rmtree(tmp_path)
    assert texts(log, 1, 2) == []
    keep(log, entry(4))
    keep(other, entry(5))
    assert texts(log, 2, 4, 5) == ["text 4", "text 5"]


def test_a_full_disk_is_an_error_that_names_the_file_and_damages_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, write = ReplyLog(tmp_path), os.write

    def half(file: int, data: memoryview) -> int:
        if len(data) < 60:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:50])

    keep(log, entry(1))
    with monkeypatch.context() as patched, log.appending() as kept:
        patched.setattr(os, "write", half)
        with pytest.raises(OSError, match="No space left") as full:
            kept.add(entry(2))
    assert full.value.errno == errno.ENOSPC
    assert full.value.filename == str(segments(tmp_path)[0])
    keep(log, entry(3))
    for one in (log, ReplyLog(tmp_path)):
        assert texts(one, 1, 2, 3) == ["text 1", "text 3"]


KEEPS = """
import sys
import time
from pathlib import Path
from tests.store.reply_cache.test_log import ReplyLog, entry, keep
log, first = ReplyLog(Path(sys.argv[1])), int(sys.argv[2])
sys.stdin.readline()
for i in range(first, first + 60):
    assert not log.find([entry(i).key])
    keep(log, entry(i, "long " * 3000))
    assert log.find([entry(i).key])
"""


def test_processes_that_write_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    writing = [
        subprocess.Popen([sys.executable, "-c", KEEPS, folder, str(first)], cwd=ROOT, stdin=subprocess.PIPE)
        for first in (0, 60)
    ]
    for process in writing:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    log, seen = ReplyLog(folder), 0
    while any(process.poll() is None for process in writing):
        now = len(log.find(key(i) for i in range(120)))
        assert now >= seen
        seen = now
        time.sleep(0.01)
    assert [process.returncode for process in writing] == [0, 0]
    for one in (log, ReplyLog(folder)):
        assert len(one.find(key(i) for i in range(120))) == 120
    assert len(segments(folder)) == 2
