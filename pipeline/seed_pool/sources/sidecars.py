"""Files beside a medium that describe it: captions, credits, subtitles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

# A file of these with a medium's stem belongs to it and is no asset.
SIDECAR_SUFFIXES = frozenset({".txt", ".json", ".srt", ".vtt", ".xmp"})


def is_sidecar(name: str) -> bool:
    """Whether a name could be a sidecar's."""
    return PurePosixPath(name).suffix.lower() in SIDECAR_SUFFIXES


def by_stem(names: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The names that are no sidecars of another, in their order, and each one's sidecars, sorted.

    names: of one folder, or of a whole tar. A sidecar without a medium stands among the names.
    """
    stems: dict[str, list[str]] = {}
    for name in names:
        if is_sidecar(name):
            stems.setdefault(_stem(name), []).append(name)
    media = [name for name in names if not is_sidecar(name)]
    beside = {name: sorted(stems[_stem(name)]) for name in media if _stem(name) in stems}
    taken = {sidecar for sidecars in beside.values() for sidecar in sidecars}
    return [name for name in names if name not in taken], beside


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.name else name
