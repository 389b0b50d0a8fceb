"""Claims: statements about an asset that its measured facts confirm, refute or leave open.

Everything the facts annotator writes rests on claims, so that whoever needs to know where else
a text is true (which other assets a query fits, which other answers are right) asks the facts
and not the text. Between "holds" and "refuted" lies a band in which nothing is said at all:
a person could see it either way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from pipeline.config import FactSettings
from pipeline.media.colours import COLOURS
from pipeline.media.facts import MUCH_CHANGE, NO_MOTION, Facts
from pipeline.models.protocols import TextLine
from pipeline.text import normalised


class Claim(NamedTuple):
    """`kind` names a predicate of this file, `value` what it says."""

    kind: str
    value: str


Verdict = bool | None  # None: the facts leave it open


@dataclass(frozen=True)
class Guess:
    """One class of schemas.LABEL_GUESS."""

    name: str
    probability: float
    gloss: str | None
    confusable: str | None
    confusable_gloss: str | None


@dataclass(frozen=True)
class Seen:
    """What was measured on one asset. `guesses`: most probable first, possibly none."""

    facts: Facts
    guesses: tuple[Guess, ...]

    @classmethod
    def of(cls, facts: str | None, labels: Iterable[Mapping[str, Any]] | None) -> Seen | None:
        """Read the columns `facts` and `labels` of an asset; None where nothing was measured."""
        if facts is None:
            return None
        names = Guess.__dataclass_fields__
        return cls(Facts.from_json(facts), tuple(Guess(**{n: g[n] for n in names}) for g in labels or ()))

    @cached_property
    def shares(self) -> dict[str, float]:
        """Share of the picture by colour name, 0..1."""
        return dict(self.facts.colours)

    @cached_property
    def letters(self) -> str:
        """All that was read, without spaces."""
        return _letters(self.facts.text)


# Colours between which two people, or two cameras, may disagree about the same surface.
_BORDERS = (
    ("black", "grey"), ("black", "brown"), ("black", "blue"), ("black", "purple"), ("white", "grey"),
    ("white", "pink"), ("white", "yellow"), ("grey", "blue"), ("grey", "brown"), ("grey", "green"),
    ("red", "orange"), ("red", "pink"), ("red", "brown"), ("red", "purple"), ("orange", "yellow"),
    ("orange", "brown"), ("orange", "pink"), ("yellow", "green"), ("yellow", "brown"), ("green", "blue"),
    ("green", "brown"), ("blue", "purple"), ("purple", "pink"), ("pink", "brown"),
)  # fmt: skip
NEIGHBOURS = {c: {a if b == c else b for a, b in _BORDERS if c in (a, b)} for c in COLOURS}

# Colours of which no pixel is as dark as DARK, or as bright as BRIGHT: nothing can look so.
NEVER = {"dark": {"white", "orange", "yellow"}, "bright": {"black", "red"}}

# Margins. Each pair leaves a band between "holds" and "refuted".
SECOND_TO_FIRST = 0.5  # a dominant colour covers at least twice as much as the next
OTHER_TO_FIRST = 0.3  # a colour that covers less of what the dominant one does is not taken for it,
ABSENT_SHARE = 0.03  # a colour below this share can be named as a wrong answer
GREY_CHROMA = 7.0  # Facts.grey_chroma up to which grey is grey; with more, people name its tint: beige, slate, lavender
LARGE_SHARE, SMALL_SHARE = 0.25, 0.08  # a colour that covers a large part, and one that does not
NONE_SHARE = 0.003  # a colour below this share is nowhere to be seen
SOME_SHARE = 0.05  # a colour above this share is surely somewhere
BORDER_SHARE = 0.1  # neighbouring colours that could be taken for an absent one, together
MINOR_SHARE = 0.3  # a colour with half of its neighbours below this share dominates nothing
DARK, NOT_DARK = 55.0, 95.0  # mean luma, 0..255
BRIGHT, NOT_BRIGHT = 190.0, 150.0
TREND, NO_TREND = 35.0, 15.0  # luma at the end minus luma at the beginning
SOME_CHANGE = 5.0  # of Facts.change: below it, a video surely does not change much
COLOURLESS = 0.02  # share of colours other than black, white, grey, from which a picture has colour
NOT_THE_CLASS = 0.05  # probability below which a class is not what the asset shows
PAGE_SHARE = 0.12  # of the picture covered by lines of text, from which it is a page of text
MIN_LETTERS, MAX_LETTERS = 3, 12  # of a word that is quoted; a longer one is often several, read as one
MIN_LINE_LETTERS = 4
LARGEST = 1.5  # a line is the largest when it covers this much more than the next


@lru_cache(65536)
def words(text: str) -> tuple[str, ...]:
    """Words in comparable form."""
    return tuple(normalised(text).split())


def quotable(line: TextLine, limits: FactSettings) -> bool:
    """Whether a line was read so surely that it can be quoted: confident, and nothing but words of letters."""
    read = line.text.split()
    return (
        line.confidence >= limits.min_text_confidence
        and sum(map(len, read)) >= MIN_LINE_LETTERS
        and all(MIN_LETTERS <= len(w) <= MAX_LETTERS and w.isalpha() and w.isascii() for w in read)
    )


def _colour(value: str, seen: Seen, limits: FactSettings) -> Verdict:
    """The colour covers the largest part of the picture."""
    shares = seen.shares
    share, others = shares.get(value, 0.0), [s for c, s in shares.items() if c != value]
    second = max(others, default=0.0)
    if share >= limits.min_colour_share and second <= SECOND_TO_FIRST * share:
        return None if _tinted(value, seen) else True
    first = seen.facts.colours[0][0] if shares else value
    if first != value and _colour(first, seen, limits) is True:
        # Of two neighbours another pair of eyes may name the other: periwinkle is blue or purple.
        return False if first not in NEIGHBOURS[value] and share <= second * OTHER_TO_FIRST else None
    return False if _with_border(value, shares) < MINOR_SHARE else None


def _tinted(value: str, seen: Seen) -> bool:
    """Whether what is measured as grey has a tint that people would rather name."""
    return value == "grey" and seen.facts.grey_chroma > GREY_CHROMA


def _with_border(value: str, shares: dict[str, float]) -> float:
    """The share of a colour if half of each neighbour were taken for it."""
    return shares.get(value, 0.0) + sum(shares.get(c, 0.0) for c in NEIGHBOURS[value]) / 2


def _has_colour(value: str, seen: Seen, _: FactSettings) -> Verdict:
    """The colour covers a large part of the picture."""
    if seen.shares.get(value, 0.0) >= LARGE_SHARE:
        return None if _tinted(value, seen) else True
    return False if _with_border(value, seen.shares) <= SMALL_SHARE else None


def _no_colour(value: str, seen: Seen, _: FactSettings) -> Verdict:
    """The colour is nowhere in the picture."""
    shares = seen.shares
    share, border = shares.get(value, 0.0), sum(shares.get(c, 0.0) for c in NEIGHBOURS[value])
    if share <= NONE_SHARE and border <= BORDER_SHARE:
        return True
    return False if share >= SOME_SHARE else None


def _between(value: float, holds_from: float, refuted_to: float) -> Verdict:
    """True from `holds_from` on, False up to `refuted_to`, which is lower."""
    return True if value >= holds_from else False if value <= refuted_to else None


def _luma(value: str, seen: Seen, _: FactSettings) -> Verdict:
    """The picture as a whole is dark, or bright; a video from its first frame to its last."""
    facts = seen.facts
    if value == "dark":
        return _between(-max(facts.luma, facts.luma_first, facts.luma_last), -DARK, -NOT_DARK)
    return _between(min(facts.luma, facts.luma_first, facts.luma_last), BRIGHT, NOT_BRIGHT)


def _brighter_half(value: str, seen: Seen, limits: FactSettings) -> Verdict:
    """The half is clearly brighter than the half opposite; refuted when by no more than a third of the limit."""
    left, right, top, bottom = seen.facts.luma_halves
    difference = {"left": left - right, "right": right - left, "upper": top - bottom, "lower": bottom - top}[value]
    return _between(difference, limits.min_half_difference, limits.min_half_difference / 3)


def _palette(_value: str, seen: Seen, _: FactSettings) -> Verdict:
    """The picture is black and white."""
    colourful = sum(s for c, s in seen.facts.colours if c not in {"black", "white", "grey"})
    return True if seen.facts.grey else False if colourful >= COLOURLESS else None


def _trend(value: str, seen: Seen, _: FactSettings) -> Verdict:
    """A video is clearly brighter, or darker, at its end than at its beginning."""
    change = seen.facts.luma_last - seen.facts.luma_first
    return _between(change if value == "brighter" else -change, TREND, NO_TREND)


def _change(value: str, seen: Seen, _: FactSettings) -> Verdict:
    """Much, or hardly anything, changes from one sampled frame of a video to the next."""
    if seen.facts.motion is None or seen.facts.change is None:
        return None
    if value == "much":
        return _between(seen.facts.change, MUCH_CHANGE, SOME_CHANGE)
    return True if seen.facts.motion <= NO_MOTION else False if seen.facts.change >= SOME_CHANGE else None


def _text(value: str, seen: Seen, limits: FactSettings) -> Verdict:
    """A line of text reads `value`; refuted when a word of it is in no line, even nearly."""
    return _reads(value, seen.facts.text, seen.letters, limits)


def _largest_text(value: str, seen: Seen, limits: FactSettings) -> Verdict:
    """The largest, or the only, line of text reads `value`."""
    lines, anywhere = seen.facts.text, _text(value, seen, limits)
    if not lines or max((line.share for line in lines[1:]), default=0.0) * LARGEST > lines[0].share:
        return False if anywhere is False else None
    here = _reads(value, lines[:1], _letters(lines[:1]), limits)
    return False if anywhere is True and here is not True else here


def _reads(value: str, lines: tuple[TextLine, ...], letters: str, limits: FactSettings) -> Verdict:
    said = words(value)
    if any(words(line.text) == said and quotable(line, limits) for line in lines):
        return True
    return False if any(w not in letters and w[:MIN_LETTERS] not in letters for w in said) else None


def _letters(lines: tuple[TextLine, ...]) -> str:
    return "".join(w for line in lines for w in words(line.text))


def _page(_value: str, seen: Seen, limits: FactSettings) -> Verdict:
    """A large part of the picture is printed text. The lines of a video stand in several frames: open."""
    sure = [line for line in seen.facts.text if line.confidence >= limits.min_text_confidence]
    share = sum(line.share for line in sure)
    if share >= PAGE_SHARE and len(sure) > 1 and seen.facts.frames == 1:
        return True
    return None if seen.facts.text else False


def _label(value: str, seen: Seen, limits: FactSettings) -> Verdict:
    """The class is what the asset shows."""
    if not seen.guesses:
        return None
    best = seen.guesses[0]
    if best.name == value and best.probability >= limits.min_label_probability:
        return True
    # Being none of the most probable classes speaks against a class however unsure the rest is.
    probability = max((g.probability for g in seen.guesses if g.name == value), default=0.0)
    return False if probability < NOT_THE_CLASS else None


_PREDICATES: dict[str, Callable[[str, Seen, FactSettings], Verdict]] = {
    "label": _label,
    "colour": _colour,
    "has_colour": _has_colour,
    "no_colour": _no_colour,
    "luma": _luma,
    "brighter_side": _brighter_half,  # left or right
    "brighter_level": _brighter_half,  # upper or lower
    "palette": _palette,
    "trend": _trend,
    "change": _change,
    "text": _text,
    "largest_text": _largest_text,
    "page": _page,
}


def judge(claim: Claim, seen: Seen | None, limits: FactSettings) -> Verdict:
    """Whether one claim holds (True), is refuted (False) or stays open (None)."""
    return None if seen is None else _PREDICATES[claim.kind](claim.value, seen, limits)


def holds(claims: Iterable[Claim], seen: Seen | None, limits: FactSettings) -> Verdict:
    """Whether all claims hold together: refuted when one is refuted, else open when one is open."""
    verdicts = [judge(claim, seen, limits) for claim in claims]
    return False if False in verdicts else None if None in verdicts else True


def to_json(claims: Iterable[Claim]) -> str:
    """Claims as a column's text."""
    return json.dumps([list(c) for c in claims], ensure_ascii=False)


def from_json(text: str) -> tuple[Claim, ...]:
    """What `to_json` wrote."""
    return tuple(Claim(kind, value) for kind, value in json.loads(text))
