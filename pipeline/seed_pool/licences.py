"""Licences as people write them, brought to one form so that they can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_URL = re.compile(r"\S*creativecommons\.org/(?:licenses|publicdomain)/([a-z+-]+)(?:/(\d\.\d))?\S*")
# Long words and the short ones that the deeds give for them, after case folding.
_SHORT = (
    (re.compile(r"\b(?:creative[\s_-]*commons|cc)[\s_-]*attribution"), "cc by"),
    (re.compile(r"\bcreative[\s_-]*commons\b"), "cc"),
    (re.compile(r"non[\s_-]?commercial"), "nc"),
    (re.compile(r"no[\s_-]?deriv(?:ative)?s?(?:\s+works)?"), "nd"),
    (re.compile(r"share[\s_-]?alike"), "sa"),
)
_LICENCE = re.compile(
    r"\b(?P<named>cc[\s_-]*(?:licen[cs]e[\s:_-]*)?by|attribution)(?P<terms>(?:[\s,_-]+(?:nc|nd|sa))*)(?![a-z])"
    r"(?:[\s_-]*v?(?:ersion)?[\s.]*(?P<version>\d(?:\.\d)?)(?!\.?\d))?"
)
_ZERO = re.compile(r"\bcc[\s_-]?(?:0|zero)\b(?:[\s_-]*v?(\d\.\d))?")
# A right that is taken back in the same breath is none.
_DOUBT = re.compile(r"\b(?:not|no|except|all[\s-]rights[\s-]reserved|unless|without)\b")
_VERSION = re.compile(r"-\d\.\d$")
_DOMAIN = {"zero": "cc0", "mark": "pdm"}
_PUBLIC_DOMAIN = frozenset({"public-domain", "pd", "publicdomain"})


def licence_id(text: str) -> str:
    """One form for a licence: `cc-by-sa-4.0` for its URL, its short and its long name; other texts
    folded in case, with hyphens for spaces and underscores.

    A longer text counts as the one Creative Commons licence that it names, unless it names two or
    restricts it (`all rights reserved`, `not`, `except`).

    >>> licence_id("https://creativecommons.org/licenses/by-sa/4.0/deed.de")
    'cc-by-sa-4.0'
    >>> licence_id("CC BY 4.0"), licence_id("All Rights  Reserved")
    ('cc-by-4.0', 'all-rights-reserved')
    """
    folded = " ".join(text.casefold().split())
    named = _creative_commons(folded)
    if len(named) == 1:
        return named.pop()
    plain = re.sub(r"[\s_-]+", "-", folded).strip("-. ")
    return "public-domain" if plain in _PUBLIC_DOMAIN else plain


def is_known(text: str) -> bool:
    """Whether a text names a licence rather than an owner: a Creative Commons licence, the public domain."""
    return licence_id(text).startswith(("cc-by", "cc0", "pdm", "public-domain"))


def chosen(candidates: Sequence[str]) -> str | None:
    """Of what could be the licence the first that names one, else the first: `(c) Jane Doe` names an owner."""
    return next((c for c in candidates if is_known(c)), candidates[0] if candidates else None)


def allowed(text: str, licences: Iterable[str]) -> bool:
    """Whether a licence is among `licences`; one that is listed without a version stands for all of its versions."""
    found = licence_id(text)
    return any(listed in (found, _VERSION.sub("", found)) for listed in map(licence_id, licences))


def _creative_commons(folded: str) -> set[str]:
    """The Creative Commons licences that a text names; none when it restricts them."""
    found = {_versioned(_DOMAIN.get(m[1], f"cc-{m[1]}"), m[2]) for m in _URL.finditer(folded)}
    rest = _URL.sub(" ", folded)
    for words, short in _SHORT:
        rest = words.sub(short, rest)
    if _DOUBT.search(rest):
        return set()
    found |= {_versioned("cc0", m[1]) for m in _ZERO.finditer(rest)}
    for m in _LICENCE.finditer(rest):
        # "Attribution: Jane Doe" names a person; "Attribution 4.0" and "Attribution-ShareAlike" a licence.
        if m["named"] != "attribution" or m["terms"] or m["version"]:
            terms = [t for t in ("nc", "nd", "sa") if t in m["terms"]]
            found.add(_versioned("-".join(["cc-by", *terms]), m["version"]))
    # Beside its full name a name without version is the same licence.
    return {f for f in found if not any(other != f and _VERSION.sub("", other) == f for other in found)}


def _versioned(name: str, version: str | None) -> str:
    return name if version is None else f"{name}-{version if '.' in version else version + '.0'}"
