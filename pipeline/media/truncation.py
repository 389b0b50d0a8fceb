"""Tells a file that was cut off from one that is damaged: does it end where its format says?"""

from __future__ import annotations

import os
from typing import BinaryIO

from pipeline.media.kinds import Kind

_END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"IEND", "GIF": b"\x3b"}
_TAIL_BYTES = 4096  # cameras append padding after the end mark
_LONG_BOX = 1  # a box whose size stands in the 8 bytes after its name


def _riff_end(file: BinaryIO) -> int:
    file.seek(4)
    return int.from_bytes(file.read(4), "little") + 8


def _boxes_end(file: BinaryIO, size: int) -> int:
    """Where the last top-level box of an ISO base media file ends."""
    at = 0
    while at < size:
        file.seek(at)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == _LONG_BOX:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:  # 0 means "to the end of the file"; less than a header is damage, not a cut
            return size
        at += length
    return at


def missing_end(file: BinaryIO, kind: Kind) -> str | None:
    """Say how a file is cut off, with what was found and expected; None when its end is there
    or its format does not tell."""
    size = os.fstat(file.fileno()).st_size
    mark = _END_MARKS.get(kind.decoder)
    if mark is not None:
        file.seek(max(0, size - _TAIL_BYTES))
        return None if mark in file.read() else f"no end mark in the last of {size} bytes"
    if kind.decoder in {"WEBP", "avi"}:
        end = _riff_end(file)
    elif kind.decoder in {"mov", "AVIF"}:
        end = _boxes_end(file, size)
    else:
        return None
    return f"{size} bytes of {end}" if size < end else None
