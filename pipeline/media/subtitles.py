"""Cues of SubRip (.srt) and WebVTT (.vtt) subtitles.

Read by hand: both formats have one grammar of a cue, a line of two times and lines of text up to an
empty one; whatever else they hold (numbers, notes, styles, regions) has no line of times. A library
would write more than it reads here, and its parsers raise on files that players show.
Sources: WebVTT (W3C 2019), section 4; SubRip has no specification.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,6}))?"
_TIMES = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")
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
    lines = iter(text.splitlines())
    for line in lines:
        times = _TIMES.match(line)
        if times is None:
            broken += "-->" in line
            continue
        start_s, end_s = _seconds(times.groups()[:4]), _seconds(times.groups()[4:])
        said = []
        for following in lines:
            if not following.strip():
                break
            said.append(following)
        words = _plain(" ".join(said))
        if end_s > start_s and words:
            found.append(Cue(start_s, end_s, words))
        else:
            broken += 1
    return sorted(found), broken


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return round(int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}"), 6)


def _plain(text: str) -> str:
    return " ".join(html.unescape(_MARKUP.sub("", text)).split())
