"""Files that appear whole or not at all, whenever the process dies."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Errors of a disk that takes no more, and what helps.
NO_ROOM = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space or raise the quota",
    errno.EFBIG: "raise the limit on the size of a file (ulimit -f)",
}


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Say in an error of NO_ROOM which folder it is: neither Arrow nor `write` names what it wrote to."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(folder)) from error


@contextmanager
def replacing(path: Path, work: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path; what is written there takes the place of `path` when the block ends.

    work: a folder on the same file system for the temporary file; none means beside `path`, under a
    hidden name. When the block raises, `path` stays as it was and nothing is left behind.
    Raises OSError that names the folder when the disk is full.
    """
    folder = work or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{path.name}.{uuid.uuid4().hex}"
    try:
        with _named(folder):
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path, work: Path) -> Iterator[Path]:
    """Yield a new folder below `work`, which takes the place of `folder` when the block ends.

    When the block raises, `folder` stays as it was and nothing is left behind.
    Raises OSError that names the folder around it when the disk is full.
    """
    staging, retired = (work / f"{kind}-{uuid.uuid4().hex}" for kind in ("staging", "retired"))
    staging.mkdir(parents=True)
    try:
        with _named(folder.parent):
            yield staging
            folder.parent.mkdir(parents=True, exist_ok=True)
            if folder.exists():
                folder.rename(retired)
            staging.rename(folder)
            shutil.rmtree(retired, ignore_errors=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def clear_leftovers(work: Path) -> None:
    """Delete what `replacing_folder` left below `work` in a process that died; no other may be at work there."""
    for leftover in [*work.glob("staging-*"), *work.glob("retired-*")]:
        shutil.rmtree(leftover, ignore_errors=True)
