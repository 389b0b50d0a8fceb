"""Files beside a medium that describe it: captions, credits, subtitles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

SUBTITLES = frozenset({".srt", ".vtt"})
# A file of these with a medium's stem belongs to it and is no asset.
SIDECAR_SUFFIXES = SUBTITLES | {".txt", ".json", ".xmp"}
_LANGUAGE = re.compile(r"\.([A-Za-z]{2,3})(?:-[A-Za-z0-9]+)*$")


def is_sidecar(name: str) -> bool:
    """Whether a name could be a sidecar's."""
    return PurePosixPath(name).suffix.lower() in SIDECAR_SUFFIXES


def by_stem(names: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The names that are no sidecars of another, in their order, and each one's sidecars, sorted.

    names: of one folder, or of a whole tar. A sidecar is called as its medium with another suffix
    (`a.jpg`, `a.txt`) or one more (`a.jpg.xmp`); subtitles may state their language (`a.en.vtt`).
    One without a medium stands among the names.
    """
    media = [name for name in names if not is_sidecar(name)]
    stems = set(map(_stem, media))
    called: dict[str, list[str]] = {}
    for name in filter(is_sidecar, names):
        stem = _stem(name)
        stated = language_in(name) is not None and stem not in stems
        called.setdefault(_LANGUAGE.sub("", stem) if stated else stem, []).append(name)
    found = {name: sorted([*called.get(_stem(name), []), *called.get(name, [])]) for name in media}
    beside = {name: sidecars for name, sidecars in found.items() if sidecars}
    taken = {sidecar for sidecars in beside.values() for sidecar in sidecars}
    return [name for name in names if name not in taken], beside


def language_in(name: str) -> str | None:
    """The language that the name of a subtitle file states, lower case: `a.en.vtt`, `a.pt-BR.srt`."""
    stated = _LANGUAGE.search(_stem(name)) if PurePosixPath(name).suffix.lower() in SUBTITLES else None
    return None if stated is None else stated[1].lower()


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.name else name
