"""Opens regular files, and members of containers: a FIFO or device in a media folder must not hang a run."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import MediaError
from pipeline.media.members import Member, open_member
from pipeline.media.names import written
from pipeline.media.places import Place

_REASONS = {errno.ELOOP: "link_loop", errno.ENOENT: "missing", errno.ENOTDIR: "missing"}
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


def _refused(path: Path, error: OSError) -> MediaError:
    reason = _REASONS.get(error.errno or 0, "unreadable")
    if reason == "missing" and path.is_symlink():
        return MediaError("broken_link", f"points to {written(str(path.readlink()))!r}, which is not there")
    return MediaError(reason, (error.strerror or str(error)).lower())


def _check(status: os.stat_result) -> None:
    for is_kind, name in _KINDS:
        if is_kind(status.st_mode):
            raise MediaError("not_a_file", f"it is {name}; only regular files are read")
    if status.st_size == 0:
        raise MediaError("empty_file", "0 bytes")


def open_medium(place: Place) -> BinaryIO:
    """Open the bytes of a place for reading: seekable, and not empty.

    Raises MediaError missing, broken_link, link_loop, unreadable, not_a_file, empty_file, and for a
    member of a container truncated or corrupt_container.
    """
    if isinstance(place, Member):
        open_regular(place.container).close()
        try:
            return open_member(place)
        except OSError as error:
            raise _refused(place.container, error) from error
    return open_regular(place)


def open_regular(path: Path) -> BufferedReader:
    """Open a non-empty regular file (links are followed) for reading.

    Never blocks: the kind is looked at before opening, and again after it, because the name may
    have changed hands in between. Raises MediaError missing, broken_link, link_loop, unreadable,
    not_a_file or empty_file.
    """
    try:
        _check(path.stat())
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(path, error) from error
    try:
        _check(os.fstat(descriptor))
    except MediaError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")
