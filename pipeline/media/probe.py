"""What a file is: medium, size as displayed, duration. Cheap: headers, and one frame of a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.animations import plays
from pipeline.media.images import displayed_size, open_image
from pipeline.media.kinds import identify
from pipeline.media.opening import open_medium
from pipeline.media.places import Place
from pipeline.media.videos import open_video


@dataclass(frozen=True)
class Probe:
    """What a file says of itself. Sizes are those a viewer shows, after rotation."""

    media: Literal["image", "video"]
    width_px: int
    height_px: int
    duration_s: float | None  # None for an image, and for a video that declares none
    fps: float | None  # mean frame rate; None likewise


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
            return Probe("image", width, height, None, None)
    with open_video(place, settings) as video:
        first = next(video.frames(), None)
        if first is None:
            raise MediaError("corrupt_video", "no frame can be decoded")
        width, height = first.displayed_size
        return Probe("video", width, height, video.duration_s, video.fps)
