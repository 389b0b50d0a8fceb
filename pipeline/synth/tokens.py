"""The words of a text in any script: what is counted, and what repetition is measured on."""

from __future__ import annotations

import unicodedata
from functools import cache

from pipeline.text import normalised

UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI")  # scripts that put no space between words


def word_count(text: str) -> int:
    """Words between spaces; each character of a script without spaces counts as one."""
    unspaced = sum(1 for c in text if script(c) in UNSPACED)
    return unspaced + len("".join(" " if script(c) in UNSPACED else c for c in text).split())


def tokens(text: str) -> tuple[str, ...]:
    """Words in comparable form, without punctuation; each character of a script without spaces is one.

    >>> tokens("A cup, a CUP!")
    ('a', 'cup', 'a', 'cup')
    """
    apart = (f" {c} " if script(c) in UNSPACED else " " if _parts(c) else c for c in normalised(text))
    return tuple("".join(apart).split())


@cache
def script(character: str) -> str:
    """First word of a character's Unicode name: LATIN, CJK, ..."""
    return unicodedata.name(character, "").split(" ")[0].split("-")[0]


@cache
def _parts(character: str) -> bool:
    """Whether a character stands between words: punctuation, symbols, spaces, controls."""
    return unicodedata.category(character)[0] in "PSZC"
