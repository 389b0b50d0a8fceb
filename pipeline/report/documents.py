"""A query or document as the page shows it: words, a picture, or both, with what a model said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.report.thumbs import Picture, Place, Thumbnails

CONTENT = ["text", "image", "video", "start_s", "end_s"]


@dataclass(frozen=True)
class Shown:
    """A Content."""

    text: str | None
    picture: Picture | None


@dataclass(frozen=True)
class Judged:
    """A document beside its query. `above`: a negative that scores above the mean positive."""

    content: Shown
    positive: bool
    source: str
    score: float | None = None
    rank: int | None = None
    above: bool = False


def place_of(content: dict[str, Any]) -> Place | None:
    """Where the pixels of a Content are; None for a text."""
    media = "video" if content["video"] else "image" if content["image"] else None
    return None if media is None else Place(content[media], media, content["start_s"], content["end_s"])


def shown(content: dict[str, Any], thumbs: Thumbnails, media_root: str | None, of_pool: bool = True) -> Shown:
    """Prepare a Content for the template; its place should have been learnt before where it is `of_pool`."""
    place = place_of(content)
    return Shown(content["text"], None if place is None else thumbs.of(place, media_root, of_pool=of_pool))


def learn(contents: list[dict[str, Any]], thumbs: Thumbnails) -> None:
    """Look up the assets behind `contents` at once."""
    thumbs.learn([place for place in map(place_of, contents) if place is not None])
