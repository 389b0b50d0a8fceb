"""The form in which two texts count as the same document, wherever texts are compared."""

from __future__ import annotations

import unicodedata


def normalised(text: str) -> str:
    """Fold compatibility forms, case and runs of white space, and strip outer punctuation.

    >>> normalised("  The  LEFT half. ")
    'the left half'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(" .!?\"'\u3002")
