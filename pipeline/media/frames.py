"""The sampled frames of an asset: taken once, cached as one small file, the same whoever asks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.atomic import replacing
from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.bars import cropped
from pipeline.media.decode import read_image
from pipeline.media.jpeg import encode_jpeg, small_jpeg
from pipeline.media.places import MediaRoot, Place
from pipeline.media.remote import FETCHED, Remote
from pipeline.media.sampling import Sampler
from pipeline.media.uris import resolve
from pipeline.media.urls import is_url
from pipeline.media.videos import Frame, open_video
from pipeline.models.protocols import Pixels

VERSION = 2  # of sampling, scaling and the file's layout: another number never meets old files
_MAGIC = b"seedmine frames\n"
_DIGEST_BYTES = 32
_LENGTH_BYTES = 4


def sample(place: Place, media: str, start_s: float | None, end_s: float | None, settings: FrameSettings) -> Pixels:
    """The frames that stand for an image, or for the span start_s..end_s of a video.

    media: "image" or "video". A null start means the beginning, a null end the end of the file.
    Frames are those that `scenes.iterate_segments` takes of a segment with this span. A span that holds no
    frame (a key frame has start_s = end_s) gives the one on display at its start.
    Raises MediaError; no_frames when the span lies behind the end.
    """
    if media == "image":
        return Pixels((encode_jpeg(read_image(place, settings)),), (0.0,), video=False)
    start = start_s or 0.0
    sampler, shown, sampled = Sampler(start, settings), None, 0
    with open_video(place, settings) as video:
        for frame in video.frames():
            if end_s is not None and frame.time_s >= max(end_s, start) and (sampled or frame.time_s > start):
                break
            shown = frame
            if frame.time_s >= start and (end_s is None or frame.time_s < end_s):
                sampler.add(frame)
                sampled += 1
    if sampled and shown is not None:
        pixels = sampler.pixels(shown.end_s if end_s is None else end_s)
        return cropped(pixels) if settings.crop_bars else pixels
    return _still(shown, start, settings)


def _still(shown: Frame | None, at_s: float, settings: FrameSettings) -> Pixels:
    if shown is None or shown.end_s < at_s:
        end = "no frame" if shown is None else f"the last frame ends at {shown.end_s:.3f} s"
        raise MediaError("no_frames", f"asked for {at_s:.3f} s, {end}")
    return Pixels((encode_jpeg(shown.picture(settings.max_side_px)),), (shown.time_s,), video=True)


def thumbnail(pixels: Pixels, settings: FrameSettings) -> bytes:
    """The middle frame as a JPEG of thumbnail_px."""
    return small_jpeg(pixels, settings.thumbnail_px)


def _settings_hash(settings: FrameSettings) -> str:
    """Of what decides about pixels: a change of another setting keeps the cache."""
    values = settings.model_dump(include={"sample_fps", "max_frames", "max_side_px", "max_video_pixels", "crop_bars"})
    return hashlib.sha256(json.dumps([VERSION, values], sort_keys=True).encode()).hexdigest()[:12]


def _packed(pixels: Pixels) -> bytes:
    header = json.dumps(
        {"bytes": [len(f) for f in pixels.frames], "times_s": pixels.times_s, "video": pixels.video}
    ).encode()
    body = len(header).to_bytes(_LENGTH_BYTES, "big") + header + b"".join(pixels.frames)
    return _MAGIC + hashlib.sha256(body).digest() + body


def _unpacked(data: bytes) -> Pixels | None:
    """The pixels of a cache file; None when a byte of it is not as it was written."""
    start = len(_MAGIC) + _DIGEST_BYTES
    body = data[start:]
    if data[:start] != _MAGIC + hashlib.sha256(body).digest():
        return None
    at = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "big")
    header = json.loads(body[_LENGTH_BYTES:at])
    frames = []
    for size in header["bytes"]:
        frames.append(body[at : at + size])
        at += size
    return Pixels(tuple(frames), tuple(header["times_s"]), header["video"])


@dataclass(frozen=True)
class FrameStore:
    """Frames by asset id, one file each below `<cache>/frames/`; made from the medium where missing."""

    cache: Path
    media_root: MediaRoot
    settings: FrameSettings

    @property
    def remote(self) -> Remote:
        """Where media that have a URL are kept."""
        root = self.media_root if isinstance(self.media_root, str) else None
        return Remote((self.cache / FETCHED).absolute(), self.settings.fetch, root)

    def place(self, uri: str) -> Place:
        """Where the medium that `uri` names can be opened; fetched first when it has a URL.

        Raises MediaError outside_media_root, and as `Remote.fetch` does.
        """
        return self._place(uri, self.remote.place)

    def places(self, uris: Sequence[str]) -> list[Place | MediaError]:
        """`place` of each, what is fetched several at once; what it raises in the place of what it cannot give."""

        def one(uri: str) -> Place | MediaError:
            try:
                return self.place(uri)
            except MediaError as error:
                return error

        if not isinstance(self.media_root, str) and not any(map(is_url, uris)):
            return [one(uri) for uri in uris]
        with ThreadPoolExecutor(self.settings.fetch.parallel) as pool:
            return list(pool.map(one, uris))

    def at_hand(self, uri: str) -> Place:
        """`place`, without asking the network. Raises MediaError missing where it was not fetched before."""
        return self._place(uri, self.remote.at_hand)

    def _place(self, uri: str, fetched: Callable[[str], Place]) -> Place:
        if isinstance(self.media_root, str) or is_url(uri):
            return fetched(uri)
        return resolve(self.media_root, uri)

    def path(self, asset_id: str) -> Path:
        """Where the frames of an asset lie, or would."""
        name = f"{asset_id}-{_settings_hash(self.settings)}.frames"
        return self.cache / "frames" / asset_id[:2] / name

    def get(self, asset_id: str, uri: str, media: str, start_s: float | None, end_s: float | None) -> Pixels:
        """The frames of an asset. A damaged or missing cache file is made again from the medium.

        Raises MediaError when that is needed and the medium cannot be read.
        """
        try:
            pixels = _unpacked(self.path(asset_id).read_bytes())
        except FileNotFoundError:
            pixels = None
        if pixels is None:
            pixels = sample(self.place(uri), media, start_s, end_s, self.settings)
            self.put(asset_id, pixels)
        return pixels

    def put(self, asset_id: str, pixels: Pixels) -> None:
        """Cache frames by one rename, so that no reader sees half. Raises OSError when the disk is full."""
        with replacing(self.path(asset_id)) as temporary:
            temporary.write_bytes(_packed(pixels))
