"""One process at a time makes a file; the others wait, and find it made."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import MediaError

_POLL_S = 0.05


@contextlib.contextmanager
def making(path: Path, wait_s: float, again: bool = False) -> Iterator[BinaryIO | None]:
    """Yield a file that takes the place of `path` when the block ends; nobody else is in such a block meanwhile.

    Yields None when `path` is there by now, unless it is to be made `again`.

    The file that is written is itself the lock, so that nothing is left behind but what a killed
    process was writing, and the next one to try starts that anew. When the block raises, `path`
    stays as it was. Raises MediaError fetch_timeout when another holds it longer than `wait_s`,
    OSError when the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{path.name}.part"
    with _locked(part, wait_s) as file:
        try:
            if path.exists() and not again:
                part.unlink()
                yield None
                return
            file.truncate()
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _locked(part: Path, wait_s: float) -> Iterator[BinaryIO]:
    end = time.monotonic() + wait_s
    while True:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "r+b") as file:
            while not _taken(descriptor):
                if time.monotonic() > end:
                    raise MediaError("fetch_timeout", f"another process is still fetching it after {wait_s:g} s")
                time.sleep(_POLL_S)
            # The one before may have renamed or removed the file that we waited for.
            if _same(descriptor, part):
                yield file
                return


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
