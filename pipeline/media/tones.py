"""Makes 8-bit RGB of any Pillow mode, the way a viewer shows it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

_EIGHT_BIT = 255


def _grey_of_wide(image: Image.Image) -> Image.Image:
    """Modes I;16, I and F (16 or 32 bits a pixel) as 8-bit grey.

    16-bit values keep their scale (65535 is white), as do 8-bit values in a wide mode and
    floats in 0..1; a range that is none of these is stretched from its least to its greatest.
    """
    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16") or (image.mode == "I" and low >= 0 and _EIGHT_BIT < high <= 65535):
        values = values / 257.0
    elif image.mode == "F" and low >= 0 and high <= 1:
        values = values * _EIGHT_BIT
    elif not (low >= 0 and high <= _EIGHT_BIT):
        values = (values - low) * (_EIGHT_BIT / (high - low))
    return Image.fromarray(np.rint(values).astype(np.uint8))


def eight_bit(image: Image.Image) -> Image.Image:
    """An image of mode RGB or CMYK; transparent parts lie on white."""
    if image.mode.startswith(("I", "F")):
        return _grey_of_wide(image).convert("RGB")
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image.convert("RGB")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image if image.mode in {"RGB", "CMYK"} else image.convert("RGB")


def to_srgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    """RGB of an RGB or CMYK image, by its colour profile where it has one that fits.

    A profile that is damaged or belongs to another colour space is passed over, as viewers do. The profile
    of a grey picture is applied to its grey, however that is stored here.
    """
    if icc_profile:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
            if "srgb" not in ImageCms.getProfileDescription(profile).lower():
                grey = profile.profile.xcolor_space.strip() == "GRAY"
                source = image.convert("L") if grey and image.mode == "RGB" else image
                srgb = ImageCms.createProfile("sRGB")
                return ImageCms.profileToProfile(source, profile, srgb, outputMode="RGB") or image.convert("RGB")
        except (ImageCms.PyCMSError, OSError):
            return image.convert("RGB")
    return image.convert("RGB")
