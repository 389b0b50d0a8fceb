"""Words for claims. Every sentence follows from its claims; nothing is added for colour."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TypeVar

from pipeline.config import FactSettings
from pipeline.media.colours import COLOURS
from pipeline.synth.claims import ABSENT_SHARE, NEIGHBOURS, Claim, Guess, Seen, judge

T = TypeVar("T")

MAX_COLOURS = 3
NOUN = {"image": "picture", "video": "video"}


def pick(options: Sequence[T], *key: str) -> T:
    """One of `options`, always the same for a key, evenly over many keys."""
    digest = hashlib.sha256("\0".join(key).encode()).digest()
    return options[int.from_bytes(digest[:8], "big") % len(options)]


def a(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def shown(label: str) -> str:
    """A class name as the object of a sentence: a plural stays without an article."""
    return label if label.endswith("s") and not label.endswith(("ss", "us", "is", "as")) else a(label)


def sentence(text: str) -> str:
    """The text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def sure_label(seen: Seen, limits: FactSettings) -> Guess | None:
    """The class that surely is what the asset shows, if any."""
    best = seen.guesses[0] if seen.guesses else None
    return best if best and judge(Claim("label", best.name), seen, limits) else None


def true_claims(seen: Seen, limits: FactSettings) -> tuple[Claim, ...]:
    """Everything positive that can be said, most telling first."""
    text = " ".join(seen.facts.text[0].text.split()) if seen.facts.text else None
    candidates = [
        *(Claim("label", g.name) for g in seen.guesses[:1]),
        *(Claim("text", t) for t in (text,) if t is not None),
        Claim("page", "page"),
        Claim("palette", "black and white"),
        *_colours(seen, limits),
        *(Claim("luma", v) for v in ("dark", "bright")),
        *(Claim("trend", v) for v in ("brighter", "darker")),
        *(Claim("change", v) for v in ("much", "little")),
        *(Claim("brighter_side", v) for v in ("left", "right")),
        *(Claim("brighter_level", v) for v in ("upper", "lower")),
    ]
    return tuple(c for c in candidates if judge(c, seen, limits))


def _colours(seen: Seen, limits: FactSettings) -> list[Claim]:
    """The dominant colour or, in a colour picture without one, the colours that cover large parts."""
    dominant = [Claim("colour", c) for c, _ in seen.facts.colours[:1]]
    if judge(dominant[0], seen, limits):
        return dominant
    if seen.facts.grey:
        return []
    return [Claim("has_colour", c) for c, _ in seen.facts.colours[:MAX_COLOURS]]


def false_colours(seen: Seen, limits: FactSettings) -> list[str]:
    """Colours of which the picture surely is not mostly made, and nobody would take it to be."""
    taken = NEIGHBOURS[seen.facts.colours[0][0]] if seen.facts.colours else set()
    absent = [c for c in COLOURS if c not in taken and seen.shares.get(c, 0.0) < ABSENT_SHARE]
    return [c for c in absent if judge(Claim("colour", c), seen, limits) is False]


def absent_colours(seen: Seen, limits: FactSettings) -> list[str]:
    """Colours that are nowhere in the picture."""
    return [c for c in COLOURS if judge(Claim("no_colour", c), seen, limits)]


def value_of(claims: Iterable[Claim], kind: str) -> str | None:
    """What the first claim of a kind says."""
    return next((c.value for c in claims if c.kind == kind), None)


def look(claims: Iterable[Claim], noun: str) -> str:
    """`dark, mostly blue picture`: the noun with what the claims say of light and colour."""
    claims = tuple(claims)
    luma, colour, palette = (value_of(claims, k) for k in ("luma", "colour", "palette"))
    parts = [c.value for c in claims if c.kind == "has_colour"]
    several = f"partly {parts[0]}" if len(parts) == 1 else " and ".join(parts)
    words = [w for w in (luma, palette and "black-and-white", colour and f"mostly {colour}", several) if w]
    return f"{', '.join(words)} {noun}".strip()


def caption(claims: Iterable[Claim], noun: str) -> str:
    """`dark, mostly blue picture with a lighthouse, clearly brighter in its lower half`: all that the claims say."""
    claims = tuple(claims)
    text = look(claims, noun)
    label, quoted, trend, change = (value_of(claims, k) for k in ("label", "text", "trend", "change"))
    things = [label and shown(label), quoted and f"the words “{quoted}”"]
    if value_of(claims, "page"):
        things.append("a large part covered by printed text")
    if found := [t for t in things if t]:
        text += f" with {' and '.join(found)}"
    if change:
        text += ", in which much changes" if change == "much" else ", in which hardly anything changes"
    if halves := [c.value for c in claims if c.kind in {"brighter_side", "brighter_level"}]:
        text += f", clearly brighter in its {' and its '.join(halves)} half"
    if trend:
        text += f", clearly {trend} at its end than at its beginning"
    return text


def measured(seen: Seen | None, limits: FactSettings) -> str:
    """What was measured and what it would have taken: the detail of `nothing_true_to_say`."""
    if seen is None:
        return "nothing was measured; the asset has no facts"
    facts = seen.facts
    label = f"{seen.guesses[0].name} {seen.guesses[0].probability:.2f}" if seen.guesses else "none"
    colour = f"{facts.colours[0][0]} {facts.colours[0][1]:.2f}" if facts.colours else "none"
    left, right, top, bottom = facts.luma_halves
    return (
        f"label {label} (limit {limits.min_label_probability:g}), colour {colour} (limit {limits.min_colour_share:g}), "
        f"luma {facts.luma:.0f}, halves differ by {max(abs(left - right), abs(top - bottom)):.0f} "
        f"(limit {limits.min_half_difference:g}), lines of text {len(facts.text)}"
    )
