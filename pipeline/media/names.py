"""How any file name becomes text."""

from __future__ import annotations

import os


def written(name: str) -> str:
    r"""A name as text that any string column holds: bytes that are not UTF-8 become `\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
