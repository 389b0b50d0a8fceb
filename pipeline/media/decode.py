"""Reads the pixels of a picture file."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.coded_colours import Coding, colour_coding, decoded
from pipeline.media.images import fit, open_image, turn_of
from pipeline.media.kinds import identify
from pipeline.media.opening import open_medium
from pipeline.media.places import Place
from pipeline.media.tones import eight_bit, to_srgb
from pipeline.models.protocols import Picture

_REDUCING_GAP = 3.0  # box filter first, then Lanczos: indistinguishable from Lanczos alone


def read_image(place: Place, settings: FrameSettings) -> Picture:
    """Decode a picture file: uint8 [H, W, 3] RGB, upright, longer side at most max_side_px.

    Of an animation or a multi-page file the first picture. Transparent parts lie on white.
    Raises MediaError as `open_medium`, `identify` and `open_image` do; a file that is cut off is
    truncated, however much of it could be shown.
    """
    with open_medium(place) as file:
        kind = identify(file)
        if kind.media != "image":
            raise MediaError("unsupported_format", f"{kind.decoder} is no still picture")
        coding = colour_coding(file, kind)
        with open_image(file, kind, settings) as image:
            return upright(image, coding, settings.max_side_px)


def upright(image: Image.Image, coding: Coding | None, max_side_px: int) -> Picture:
    """The frame an opened picture file stands at, as a viewer shows it: uint8 [H, W, 3] sRGB, scaled down to fit.

    coding: what the file says of its colours (`colour_coding`); a colour profile goes before it.
    """
    turn, profile = turn_of(image), image.info.get("icc_profile")
    width, height = fit(*image.size, max_side_px)
    image.draft(None, (2 * width, 2 * height))  # a JPEG is reduced while it is decoded
    image.load()
    shown = eight_bit(image)
    if shown.size != (width, height):
        shown = shown.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    shown = to_srgb(shown, profile)
    picture = np.asarray(shown if turn is None else shown.transpose(turn))
    return picture if coding is None or profile else decoded(picture, coding)
