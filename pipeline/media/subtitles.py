"""Cues of SubRip (.srt) and WebVTT (.vtt) subtitles.

Read by hand: both formats have one grammar of a cue, a line of two times and lines of text up to an
empty one or the next cue; other blocks (notes, styles, regions) are passed over. A library would
write more than it reads here, and its parsers raise on files that players show.
Sources: WebVTT (W3C 2019), section 4; SubRip has no specification.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_TIME = r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d)(?:[.,](\d{1,6}))?"
_TIMES = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")
_NO_CUES = re.compile(r"^(NOTE|STYLE|REGION)(\s|$)")  # how such a block of WebVTT begins
_MARKUP = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")


class Cue(NamedTuple):
    """Seconds from the beginning of the file, and the text without markup, in one line."""

    start_s: float
    end_s: float
    text: str


def read_cues(text: str) -> tuple[list[Cue], int]:
    """The cues in the order of their times, and the number of those that cannot be used.

    Unusable is a cue without text or length, or one that ends before it begins, and a line with `-->`
    that holds no two times.
    """
    found: list[Cue] = []
    broken = 0
    for times, lines in _blocks(text.splitlines()):
        words = _plain(" ".join(lines))
        start_s, end_s = times or (0.0, 0.0)
        if end_s > start_s and words:
            found.append(Cue(start_s, end_s, words))
        else:
            broken += 1
    return sorted(found), broken


def _blocks(lines: Sequence[str]) -> Iterator[tuple[tuple[float, float] | None, list[str]]]:
    """The times and lines of each cue, in the order of the file; None for times that cannot be read."""
    times: tuple[float, float] | None = None
    said: list[str] = []
    inside = passing = False
    for line in [*lines, ""]:
        if not line.strip():
            if inside:
                yield times, said
            inside = passing = False
        elif "-->" in line and not passing:
            if inside:  # the empty line before this cue is missing; its number is no text of the last one
                yield times, said[:-1] if said and said[-1].strip().isdecimal() else said
            stated = _TIMES.match(line)
            times = None if stated is None else (_seconds(stated.groups()[:4]), _seconds(stated.groups()[4:]))
            said, inside = [], True
        elif inside:
            said.append(line)
        else:
            passing = passing or _NO_CUES.match(line) is not None


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return round(int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}"), 6)


def _plain(text: str) -> str:
    return " ".join(html.unescape(_MARKUP.sub("", text)).split())
