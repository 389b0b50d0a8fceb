"""Small pictures for the page: each is embedded once, however often it is shown, and never too many."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pyarrow.compute as pc
from pydantic import ValidationError

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.frames import FrameStore, sample, thumbnail
from pipeline.media.places import MediaRoot, root_of
from pipeline.models.protocols import Pixels
from pipeline.report import read, text
from pipeline.store.shards import Manifest

# A video whose frames are not cached is decoded from its start: only so far, and only so often.
MAX_SEEK_S = 60.0
MAX_DECODED_VIDEOS = 24


@dataclass(frozen=True)
class Place:
    """Where pixels are: a file below the media root and, of a video, a span (or one moment)."""

    uri: str
    media: str  # image | video; anything else has no pixels
    start_s: float | None
    end_s: float | None


@dataclass(frozen=True)
class Picture:
    """A medium as the page shows it. `css` is the class that draws its pixels; None: a neutral
    tile that bears `kind`."""

    css: str | None
    name: str
    kind: str
    span: str


@dataclass(frozen=True)
class _Span:
    """An asset of the pool: where it lies in its file, and the id of its cached frames."""

    start_s: float | None
    end_s: float | None
    asset_id: str


class Thumbnails:
    """Makes thumbnails from cached frames, or from the media where those are not cached.

    Reads only: nothing is fetched or added to the cache.
    """

    def __init__(self, out: Path, pool: Manifest | None, settings: FrameSettings, limit: int) -> None:
        """pool: the manifest of `<out>/seed_pool/assets`, None where there is none that can be read."""
        self.limit = limit
        self._assets = None if pool is None else out / "seed_pool" / "assets"
        self._root = None if pool is None else pool.media_root
        self._cache, self._settings = out / "cache", settings
        self._spans: dict[str, list[_Span]] = {}
        self._drawn: dict[tuple[Place, str | None, bool], str | None] = {}
        self._jpegs: dict[bytes, str] = {}
        self._decoded_videos = 0

    def learn(self, places: Iterable[Place]) -> None:
        """Find the assets behind `places` in one pass over the pool, so that their cached frames serve."""
        unknown = {p.uri for p in places} - self._spans.keys()
        if not unknown or self._assets is None:
            return
        found: dict[str, list[_Span]] = defaultdict(list)
        for table in read.batches(self._assets, ["asset_id", "uri", "start_s", "end_s"]):
            mine = table.filter(pc.is_in(table.column("uri"), value_set=read.strings(unknown)))
            for row in mine.to_pylist():
                found[row["uri"]].append(_Span(row["start_s"], row["end_s"], row["asset_id"]))
        self._spans |= {uri: found.get(uri, []) for uri in unknown}

    def of(
        self, place: Place, media_root: str | None = None, asset_id: str | None = None, of_pool: bool = True
    ) -> Picture:
        """The picture of `place`; a neutral tile when it cannot be read or the page is full.

        asset_id: names its cached frames; without it the asset is looked up among what `learn` found.
        of_pool: False for a data set from elsewhere, which may call another file by the same URI.
        """
        root = media_root or (self._root if of_pool else None)
        key = (place, root, of_pool)
        if key not in self._drawn:
            known = self._spans.get(place.uri, []) if of_pool else []
            self._drawn[key] = None if root is None else self._draw(place, root_of(root), asset_id, known)
        suffix = PurePosixPath(place.uri).suffix.lstrip(".")
        kind = suffix.upper() if suffix.isalnum() and suffix.isascii() and len(suffix) <= 5 else place.media
        return Picture(self._drawn[key], place.uri, kind, text.span(place.start_s, place.end_s))

    def css(self) -> str:
        """One rule a picture. Holds nothing but class numbers and base64."""
        return "".join(
            f".p{i}{{background-image:url(data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')})}}\n"
            for i, jpeg in enumerate(self._jpegs)
        )

    def _draw(self, place: Place, root: MediaRoot, asset_id: str | None, known: list[_Span]) -> str | None:
        if len(self._jpegs) >= self.limit or place.media not in ("image", "video"):
            return None
        try:
            jpeg = thumbnail(self._pixels(place, root, asset_id, known), self._settings)
        except MediaError:
            return None
        return self._jpegs.setdefault(jpeg, f"p{len(self._jpegs)}")

    def _pixels(self, place: Place, root: MediaRoot, asset_id: str | None, known: list[_Span]) -> Pixels:
        store, span = FrameStore(self._cache, root, self._settings), (place.start_s, place.end_s)
        whole = next((s.asset_id for s in known if (s.start_s, s.end_s) == span), asset_id)
        if whole is not None and store.path(whole).is_file():
            return store.get(whole, place.uri, place.media, *span)
        if place.media == "image":
            return sample(store.at_hand(place.uri), "image", None, None, self._settings)
        # A moment or a key frame inside a segment: of its sampled frames the nearest.
        middle = 0.0 if place.start_s is None or place.end_s is None else (place.start_s + place.end_s) / 2
        around = next((s for s in known if _holds(s, middle) and store.path(s.asset_id).is_file()), None)
        if around is not None:
            pixels = store.get(around.asset_id, place.uri, place.media, around.start_s, around.end_s)
            nearest = min(range(len(pixels.frames)), key=lambda i: abs(pixels.times_s[i] - middle))
            return replace(pixels, frames=(pixels.frames[nearest],), times_s=(pixels.times_s[nearest],))
        if middle > MAX_SEEK_S or self._decoded_videos >= MAX_DECODED_VIDEOS:
            raise MediaError("not_cached", f"{place.uri} at {middle:.2f} s has no cached frames")
        self._decoded_videos += 1
        return sample(store.at_hand(place.uri), "video", middle, middle, self._settings)


def _holds(span: _Span, at_s: float) -> bool:
    return span.start_s is not None and span.end_s is not None and span.start_s <= at_s <= span.end_s


def frame_settings(pool: Manifest | None, default: FrameSettings) -> FrameSettings:
    """The settings that the pool's frames were cached with, so that an old run finds its own.

    `default` where there is no pool, or one whose settings this version does not know.
    """
    recorded = None if pool is None else read.setting(pool.config, "frames")
    try:
        found = FrameSettings.model_validate(recorded or {})
    except ValidationError:
        return default
    return default if recorded is None else found.model_copy(update={"thumbnail_px": default.thumbnail_px})
