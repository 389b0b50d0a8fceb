"""Copies as people make them: a name, and what it does to a picture."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

Edit = Callable[[Image.Image], Image.Image]


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def crop(picture: Image.Image, share: float) -> Image.Image:
    """Cut `share` off each side's length, all of it at the left and below."""
    width, height = picture.size
    return picture.crop((round(width * share), 0, width, round(height * (1 - share))))


def caption(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    shown = Image.new("RGB", (width, height + height // 6), "black")
    shown.paste(picture, (0, 0))
    ImageDraw.Draw(shown).text((8, height + height // 20), "when you see it", fill="white")
    return shown


EDITS: dict[str, Edit] = {
    "rescale": lambda p: p.resize((p.width * 2 // 5, p.height * 2 // 5), Image.Resampling.LANCZOS),
    "jpeg 40": lambda p: jpeg(p, 40),
    "crop 10 %": lambda p: crop(p, 0.1),
    "crop 20 %": lambda p: crop(p, 0.2),
    "caption bar": caption,
    "border": lambda p: ImageOps.expand(p, max(8, p.width // 12), "navy"),
    "mirror": ImageOps.mirror,
    "brightness": lambda p: ImageEnhance.Contrast(ImageEnhance.Brightness(p).enhance(1.3)).enhance(0.8),
    "grey": lambda p: p.convert("L").convert("RGB"),
    "rotate 90": lambda p: p.transpose(Image.Transpose.ROTATE_90),
}
