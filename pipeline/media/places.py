"""From a URI to something that can be opened, wherever the media are."""

from __future__ import annotations

from pathlib import Path

from pipeline.media.members import Member
from pipeline.media.urls import is_url

Place = Path | Member
MediaRoot = Path | str  # what URIs are relative to: a folder, or a URL as text


def root_of(text: str) -> MediaRoot:
    """The folder or URL that a manifest or a user names."""
    return text if is_url(text) else Path(text)


def identity(place: Place) -> tuple[str, int, int]:
    """What changes when a place's bytes may have: its name inside a container, size, time of change in ns.

    Raises OSError when it is not there.
    """
    path, name = (place.container, place.name) if isinstance(place, Member) else (place, "")
    status = path.stat()
    return name, status.st_size, status.st_mtime_ns
