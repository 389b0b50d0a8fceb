"""How the stages that open strangers' files hand them to the decoding process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.config import FrameSettings
from pipeline.media.frames import FrameStore
from pipeline.media.members import Member
from pipeline.media.places import Place, root_of
from pipeline.media.sandbox import decoder

GRACE_S = 30.0  # for a decoder to notice its own limit first


def apart(function: Callable[[Any], Any], argument: Any, limit_s: float, settings: FrameSettings) -> Any:
    """`function(argument)` in the decoding process, or here where `settings.isolate` is off. See `Sandbox.call`."""
    if not settings.isolate:
        return function(argument)
    return decoder().call(function, argument, limit_s + GRACE_S)


def store_to_json(store: FrameStore) -> dict[str, Any]:
    """A FrameStore as the decoding process can be told of it."""
    return {
        "cache": str(store.cache),
        "media_root": str(store.media_root),
        "settings": store.settings.model_dump(mode="json"),
    }


def store_from_json(values: dict[str, Any]) -> FrameStore:
    """What `store_to_json` wrote."""
    settings = FrameSettings.model_validate(values["settings"])
    return FrameStore(Path(values["cache"]), root_of(values["media_root"]), settings)


def place_to_json(place: Place) -> list[str | None]:
    """Where a medium can be opened: found here, so that the decoding process fetches nothing."""
    return [str(place.container), place.name] if isinstance(place, Member) else [str(place), None]


def place_from_json(values: list[str | None]) -> Place:
    """What `place_to_json` wrote."""
    path, name = Path(values[0] or ""), values[1]
    return path if name is None else Member(path, name)
