"""From a URI to something that can be opened, wherever the media are."""

from __future__ import annotations

from pathlib import Path

from pipeline.media.members import Member

Place = Path | Member


def identity(place: Place) -> tuple[str, int, int]:
    """What changes when a place's bytes may have: its name inside a container, size, time of change in ns.

    Raises OSError when it is not there.
    """
    path, name = (place.container, place.name) if isinstance(place, Member) else (place, "")
    status = path.stat()
    return name, status.st_size, status.st_mtime_ns
