"""What a file is, and what it says of itself. Cheap: headers, and one frame of a video, in one opening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Literal

from PIL import Image

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.animations import plays
from pipeline.media.embedded import of_container, of_picture
from pipeline.media.images import decoding, displayed_size, open_image
from pipeline.media.kinds import Kind, identify
from pipeline.media.opening import open_medium
from pipeline.media.places import Place
from pipeline.media.told import Told
from pipeline.media.videos import Animation, Video, open_video


@dataclass(frozen=True)
class Probe:
    """What stands in the headers of a file. Sizes are those a viewer shows, after rotation."""

    media: Literal["image", "video"]
    width_px: int
    height_px: int
    duration_s: float | None  # None for an image, and for a video that declares none
    fps: float | None  # mean frame rate; None likewise
    told: Told  # caption, licences, credits
    untold: tuple[str, str] | None  # reason and detail, where damage keeps the file from telling


def probe(place: Place, settings: FrameSettings) -> Probe:
    """Look at a file without decoding it all; its type comes from its bytes, never from its name.

    An animation (GIF, WebP, PNG, AVIF) counts as an image, its first picture, or as a video where `animations`
    says so. Pixels of an image are
    not decoded, so damage behind the header shows only when it is read. Raises MediaError with
    a reason of `reasons.REASONS` for whatever cannot be used.
    """
    with open_medium(place) as file:
        kind = identify(file)
        if kind.media == "image" and not plays(file, kind, settings):
            with open_image(file, kind, settings) as image:
                width, height = displayed_size(image)
                told, untold = _told(file, kind, image)
            return Probe("image", width, height, None, None, told, untold)
    with open_video(place, settings) as video:
        first = next(video.frames(), None)
        if first is None:
            raise MediaError("corrupt_video", "no frame can be decoded")
        width, height = first.displayed_size
        told, untold = _told_by(video, settings)
        return Probe("video", width, height, video.duration_s, video.fps, told, untold)


Telling = tuple[Told, tuple[str, str] | None]


def _told(file: BinaryIO, kind: Kind, image: Image.Image) -> Telling:
    try:
        with decoding(file, kind):
            return of_picture(image), None
    except MediaError as error:
        return Told(), (error.reason, error.detail)


def _told_by(video: Video | Animation, settings: FrameSettings) -> Telling:
    """An animation has a picture's tags."""
    if isinstance(video, Video):
        return of_container(dict(video.container.metadata)), None
    video.file.seek(0)
    with open_image(video.file, video.kind, settings) as image:
        return _told(video.file, video.kind, image)
