"""How words, names and numbers from the data stand on the page: escaped, short, nothing hidden."""

from __future__ import annotations

import unicodedata

from markupsafe import Markup

# Joiners are part of many scripts and of emoji; between ASCII letters they only hide something.
JOINERS = "\u200c\u200d"
MAX_NAME = 255
MAX_TEXT = 600


def is_hidden(char: str, before: str) -> bool:
    """Would a browser show nothing for `char`, or let it reorder its neighbours?

    True for control, format (bidi), surrogate, private, unassigned and separator characters.
    """
    if char in JOINERS:
        return before.isascii()
    return unicodedata.category(char)[0] == "C" or unicodedata.category(char) in ("Zl", "Zp")


def clipped(text: str, limit: int) -> str:
    """`text`, cut to `limit` characters with an ellipsis where it is longer."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def plain(text: str, limit: int = MAX_NAME) -> str:
    """`text` for an attribute (a tooltip, a label): hidden characters as `[U+202E]`; not yet escaped."""
    return "".join(f"[U+{ord(c):04X}]" if hidden else c for c, hidden in _parts(clipped(text, limit)))


def visible(text: str, limit: int = MAX_NAME) -> Markup:
    """`text` as isolated, escaped markup in which each hidden character is a small code."""
    pieces = [
        Markup('<span class="code-point">U+{:04X}</span>').format(ord(c)) if hidden else Markup.escape(c)
        for c, hidden in _parts(clipped(text, limit))
    ]
    return Markup("<bdi>{}</bdi>").format(Markup().join(pieces))


def prose(text: str, limit: int = MAX_TEXT) -> Markup:
    """As `visible`, for sentences: line breaks and runs of blanks are one blank."""
    return visible(" ".join(text.split()), limit)


def _parts(text: str) -> list[tuple[str, bool]]:
    return [(c, is_hidden(c, before)) for before, c in zip(" " + text, text, strict=False)]


def count(number: int) -> str:
    """12345 -> 12,345."""
    return f"{number:,}"


def percent(part: float, whole: float) -> str:
    """Part of a whole as a percentage with one decimal; a dash where there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def seconds(value: float) -> str:
    """0.34 -> 0.34 s, 75 -> 1 min 15 s."""
    if value < 10:
        return f"{value:.2f} s"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def span(start_s: float | None, end_s: float | None) -> str:
    """A span of a video (`0:03.2–0:07.9`), a key frame (`0:03.2`), or nothing for a whole file."""
    if start_s is None or end_s is None:
        return ""
    return _clock(start_s) if start_s == end_s else f"{_clock(start_s)}–{_clock(end_s)}"


def _clock(at_s: float) -> str:
    tenths = round(at_s * 10)
    minutes, tenths = divmod(tenths, 600)
    return f"{minutes}:{tenths // 10:02d}.{tenths % 10}"
