"""What an example says that can be measured, and whether the measurement refutes it beyond doubt: printed text that is
quoted, and the colours of a whole picture. Counts are left to a judge: nothing here counts reliably."""

from __future__ import annotations

import re

from pipeline.config import FactSettings
from pipeline.media.colours import COLOURS
from pipeline.models.protocols import TextLine
from pipeline.models.replies import Refusal
from pipeline.synth.claims import Claim, Seen, judge
from pipeline.synth.task import Example
from pipeline.synth.tokens import tokens

MIN_QUOTED_LETTERS = 4  # a shorter text resembles much
MAX_RESEMBLANCE = 0.5  # a text of which less was read, even nearly, is not there; chance gives up to 0.4
NO_SHARE = 0.05  # a colour below this share, and refuted, is no dominant one to anybody
COLOURFUL = 0.25  # share of colours from which nobody calls a picture black and white

_MEDIUM = r"(?:image|picture|photo|photograph|video)"
_WHOLE = rf"the (?:whole |entire |overall )?{_MEDIUM}\s*\?*$"
_ASKS_COLOUR = re.compile(
    rf"\b(?:(?:dominant|predominant|prevailing|main) colou?r (?:of|in)"
    rf"|colou?r (?:dominates|fills|covers (?:most|the largest part) of)) {_WHOLE}",
    re.IGNORECASE,
)
_SAYS_COLOUR = re.compile(rf"\b(?:mostly|predominantly|mainly) ({'|'.join(COLOURS)}|gray) {_MEDIUM}\b", re.IGNORECASE)
_SAYS_GREY = re.compile(rf"\b(?:black[- ]and[- ]white|monochrome) {_MEDIUM}\b", re.IGNORECASE)
_DENIES = re.compile(r"\b(?:not|no|never|without|instead|than)\b|n't\b", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»]+)[\"”“»]")
_MODIFIERS = ("mostly", "light", "dark", "bright", "pale", "deep")
_BESIDE_COLOUR = frozenset(("a", "the", "it", "is", "color", "colour", *_MODIFIERS))


def quoted_text(answer: str) -> str | None:
    """What an answer says that is written in the picture, word for word: what stands in quotation marks or, without
    any, all of it where it is in capitals. None where it may be in words of its own, or in letters that OCR cannot
    read here."""
    found = _QUOTED.findall(answer)
    text = " ".join(found) if found else answer if answer.isupper() else ""
    letters = "".join(tokens(text))
    return text if len(letters) >= MIN_QUOTED_LETTERS and letters.isascii() and not letters.isdigit() else None


def unread(text: str, lines: tuple[TextLine, ...], limits: FactSettings) -> Refusal | None:
    """A quoted text that is nowhere in a picture of which every line was read surely; without lines all is open."""
    if not lines or any(line.confidence < limits.min_text_confidence for line in lines):
        return None
    share = resemblance("".join(tokens(text)), "".join(w for line in lines for w in tokens(line.text)))
    if share >= MAX_RESEMBLANCE:
        return None
    shown = " | ".join(line.text for line in lines)[:200]
    return (
        "not_grounded",
        f"{text!r} is not read in the picture: {share:.2f} of it, limit {MAX_RESEMBLANCE:g}: {shown!r}",
    )


def resemblance(text: str, read: str) -> float:
    """1 - edits / letters of the place in `read` that is most like `text`, 0..1.

    Source: Sellers, "The theory and computation of evolutionary distances", 1980.
    """
    row = [0] * (len(read) + 1)
    for i, letter in enumerate(text, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(read, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (letter != other))
    return 1 - min(row) / len(text) if text else 1.0


def asks_for_colour(example: Example) -> bool:
    """Whether a question is about the dominant colour of the whole picture."""
    return example.positive_text is not None and bool(_ASKS_COLOUR.search(example.query_text or ""))


def speaks_of_colours(example: Example) -> bool:
    """Whether anything in an example can be measured on colours; English only."""
    text = example.query_text or ""
    said = _SAYS_COLOUR.search(text) or _SAYS_GREY.search(text)
    return asks_for_colour(example) or bool(said and not _DENIES.search(text))


def wrong_colours(example: Example, seen: Seen, limits: FactSettings) -> Refusal | None:
    """What an example that `speaks_of_colours` says, refuted by the shares of colours."""
    if asks_for_colour(example):
        right, wrong = colour_named(example.positive_text), colour_named(example.negative_text)
        if right is not None and (found := _not_dominant(right, seen, limits)):
            return found
        if wrong is not None and wrong != right and judge(Claim("colour", wrong), seen, limits) is True:
            return "negative_is_true", f"{wrong} covers {seen.shares[wrong]:.2f} of it"
        return None
    text = example.query_text or ""
    if said := _SAYS_COLOUR.search(text):
        return _not_dominant(said[1].lower().replace("gray", "grey"), seen, limits)
    colourful = sum(share for name, share in seen.facts.colours if name not in {"black", "white", "grey"})
    if colourful >= COLOURFUL:
        return "not_grounded", f"not black and white: {colourful:.2f} of it has colour, limit {COLOURFUL:g}"
    return None


def colour_named(answer: str | None) -> str | None:
    """The one colour that an answer names, if it says nothing else."""
    said = [w.replace("gray", "grey") for w in tokens(answer or "") if w not in _BESIDE_COLOUR]
    return said[0] if len(said) == 1 and said[0] in COLOURS else None


def _not_dominant(colour: str, seen: Seen, limits: FactSettings) -> Refusal | None:
    share = seen.shares.get(colour, 0.0)
    if share >= NO_SHARE or judge(Claim("colour", colour), seen, limits) is not False:
        return None
    first, most = seen.facts.colours[0]
    return "not_grounded", f"{colour} covers {share:.2f} of it, limit {NO_SHARE:g}; {first} {most:.2f}"
