"""Rules about texts that hold in every room: when two are the same, and how a stranger's is shown."""

from __future__ import annotations

import unicodedata

MAX_CAPTION_CHARS = 1000  # a model sees of a caption; alt texts of web pages run to megabytes


def normalised(text: str) -> str:
    """Fold compatibility forms, case and runs of white space, and strip outer punctuation.

    >>> normalised("  The  LEFT half. ")
    'the left half'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(" .!?\"'\u3002")


def shown_caption(caption: str | None) -> str | None:
    """A source's caption as models see it: one line of printable words, cut at MAX_CAPTION_CHARS.

    None where no word is left.

    >>> shown_caption(" A red\\ncup. ")
    'A red cup.'
    """
    if caption is None:
        return None
    # A few characters more than are kept may be unprintable or white space.
    line = "".join(c if c.isprintable() else " " for c in caption[: 4 * MAX_CAPTION_CHARS])
    return " ".join(line.split())[:MAX_CAPTION_CHARS].rstrip() or None
