"""The replies of one model, in a folder of segments: each process appends to a segment of its own.

Only its writer appends to a segment, and a line counts once its newline is there: no lock is needed, also where a
shared file system has none. What another process wrote is seen at the next look. A line that is damaged, or was cut
off with its process, counts as absent.
"""

from __future__ import annotations

import os
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.store.reply_cache.entries import KEY_AT, Entry, from_line, to_line
from pipeline.store.reply_cache.index import Index, Place

SUFFIX = ".jsonl"
_SHORT_CHARS = 16  # of a key, in the index


def segments(folder: Path) -> list[Path]:
    """The segments of a folder, by name."""
    return sorted(folder.glob(f"*{SUFFIX}"))


@dataclass
class _Seen:
    """How far a segment has been read."""

    number: int
    inode: int
    bytes: int = 0


class ReplyLog:
    """Finds and keeps the replies of one model. For one thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own = folder / f"{uuid.uuid4().hex}{SUFFIX}"
        self._forget()

    def _forget(self) -> None:
        self._index = Index()
        self._seen: dict[Path, _Seen] = {}
        self._paths: list[Path] = []

    def find(self, keys: Iterable[str]) -> dict[str, Entry]:
        """The entries of `keys` that are there and whole. Of several with one key the oldest: an answer that was
        given once stays the answer. Raises OSError when a segment cannot be read."""
        self._refresh()
        wanted = set(keys)
        by_segment: defaultdict[int, list[Place]] = defaultdict(list)
        for place in self._index.find(_short(key) for key in wanted):
            by_segment[place[0]].append(place)
        found: dict[str, Entry] = {}
        for number, places in by_segment.items():
            for entry in _read(self._paths[number], places):
                known = found.get(entry.key)
                if entry.key in wanted and (known is None or _age(entry) < _age(known)):
                    found[entry.key] = entry
        return found

    def _refresh(self) -> None:
        """Take in what was written since the last look, by whatever process."""
        states = {path: state for path in segments(self.folder) if (state := _stat(path)) is not None}
        for path, seen in self._seen.items():
            state = states.get(path)
            if state is None or state.st_ino != seen.inode or state.st_size < seen.bytes:
                self._forget()  # pruned: places are no longer what they were
                break
        for path, state in states.items():
            if path not in self._seen:
                self._seen[path] = _Seen(len(self._paths), state.st_ino)
                self._paths.append(path)
            if state.st_size > self._seen[path].bytes:
                self._index.add(_new_lines(path, self._seen[path]))

    @contextmanager
    def appending(self) -> Iterator[Appender]:
        """Yield what keeps entries; when the block ends they also survive a power cut."""
        appender = Appender(self._own)
        try:
            yield appender
        finally:
            appender.close()


class Appender:
    """Appends to a segment, which is made with the first entry."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def add(self, entry: Entry) -> None:
        """Keep `entry`: from here on it survives the death of the process. Raises OSError when the disk is full."""
        if self._file is None:
            self._file = self._opened()
        self._write(self._file, to_line(entry))

    def _opened(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":  # a full disk cut the last line off
            self._write(file, b"\n")
        return file

    def _write(self, file: int, line: bytes) -> None:
        try:
            left = memoryview(line)
            while left:
                left = left[os.write(file, left) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def close(self) -> None:
        """Bring what was written to the disk."""
        if self._file is None:
            return
        try:
            os.fsync(self._file)
        finally:
            os.close(self._file)
            self._file = None


def _short(key: str) -> int:
    return int(key[:_SHORT_CHARS], 16)


def _age(entry: Entry) -> tuple[str, str]:
    return entry.at, entry.reply.text


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:  # pruned this moment
        return None


def _new_lines(path: Path, seen: _Seen) -> Iterator[tuple[int, Place]]:
    """Short key and place of each line of a segment behind what was `seen`, which is moved on."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(seen.bytes)
        for line in file:
            if not line.endswith(b"\n"):  # still being written
                return
            try:
                key = int(line[KEY_AT : KEY_AT + _SHORT_CHARS], 16)
            except ValueError:  # a torn line
                key = None
            if key is not None:
                yield key, (seen.number, seen.bytes, len(line))
            seen.bytes += len(line)


def _read(path: Path, places: Iterable[Place]) -> Iterator[Entry]:
    """The whole entries at `places` of a segment."""
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return
    with file:
        for _, offset, length in places:
            entry = from_line(os.pread(file.fileno(), length, offset))
            if entry is not None:
                yield entry
