"""The caption that came with an asset: words of a stranger, shown to models as data and never whole."""

from __future__ import annotations

MAX_CAPTION_CHARS = 1000  # a model sees of it; alt texts of web pages run to megabytes


def shown(caption: str | None) -> str | None:
    """The caption in one line of printable words, cut at MAX_CAPTION_CHARS; None where it has none.

    >>> shown(" A red\\ncup. \\u202e")
    'A red cup.'
    """
    if caption is None:
        return None
    # A few characters more than are kept may be unprintable or white space.
    line = "".join(c if c.isprintable() else " " for c in caption[: 4 * MAX_CAPTION_CHARS])
    return " ".join(line.split())[:MAX_CAPTION_CHARS].rstrip() or None
