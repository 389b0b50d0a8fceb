"""What somebody says of a medium, in the form in which all who read it hand it on."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_CHARS = 10_000  # of one value: more is a document, not a caption or a credit
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufeff]+")


@dataclass(frozen=True)
class Told:
    """Values are clean (`clean`). Text of strangers: data, never instructions.

    licences: all that could be its licence, the most explicit first.
    """

    caption: str | None = None
    licences: tuple[str, ...] = ()
    author: str | None = None
    origin: str | None = None


def clean(value: object) -> str | None:
    """A value as text that any column can hold; None for anything but text and numbers, for nothing
    but white space, and for more than MAX_CHARS.

    Control characters (EXIF separates values by NUL) and lone surrogates become spaces and `?`.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    text = _UNPRINTABLE.sub(" ", text).strip()
    return text if text and len(text) <= MAX_CHARS else None


def joined(values: list[str]) -> str | None:
    """Several values as one: the first creator, the second."""
    return clean(", ".join(dict.fromkeys(v for value in values if (v := clean(value)))))
