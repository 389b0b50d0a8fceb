"""Pixels look as a viewer shows them: against OpenCV's readers, and against formulas, never against Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.config import FrameSettings
from pipeline.media.decode import read_image
from tests.media.odd_files import png_chunk
from tests.media.profiles import (
    ADOBE_RGB,
    DISPLAY_P3,
    INKS,
    SRGB,
    cmyk_profile,
    grey_profile,
    rgb_profile,
    shown,
    shown_lab,
)
from tests.media.stills import encoded, picture

SETTINGS = FrameSettings()


def read(data: bytes, folder: Path) -> np.ndarray:
    (folder / "a").write_bytes(data)
    return read_image(folder / "a", SETTINGS)


def by_opencv(data: bytes) -> np.ndarray:
    """8-bit RGB, turned by EXIF."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def bars(*colours: tuple[int, ...]) -> np.ndarray:
    """32 px wide bars of one colour each."""
    return np.repeat(np.array([colours], np.uint8), 32, axis=0).repeat(32, axis=1)


def middles(found: np.ndarray) -> np.ndarray:
    """The colour in the middle of each of `bars`."""
    return found[16, 16::32]


COLOURS = bars((200, 60, 40), (40, 180, 70), (60, 80, 200), (128, 128, 128), (240, 220, 180), (20, 30, 25))


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {"quality": 95, "subsampling": 0}),
        ("JPEG", "L", {"quality": 95}),
        ("JPEG", "CMYK", {"quality": 95}),
        ("PNG", "RGB", {}),
        ("PNG", "L", {}),
        ("PNG", "P", {}),
        ("PNG", "1", {}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "CMYK", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("BMP", "RGB", {}),
        ("AVIF", "RGB", {"quality": 90}),
        ("JPEG2000", "RGB", {}),
    ],
)
def test_every_format_and_mode_looks_as_opencv_reads_it(
    kind: str, mode: str, options: dict[str, object], tmp_path: Path
) -> None:
    data = encoded(picture().convert(mode), kind, **options)
    assert difference(read(data, tmp_path), by_opencv(data)) < 1.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_exif_is_turned_as_opencv_does(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture(), "JPEG", exif=exif, quality=95, subsampling=0)
    assert difference(read(data, tmp_path), by_opencv(data)) < 1.5


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_scaled_as_opencv_scales_them(suffix: str, channels: int, tmp_path: Path) -> None:
    deep = (np.asarray(picture(), np.uint16) * 257)[..., :channels]
    data = cv2.imencode(suffix, deep)[1].tobytes()
    assert difference(read(data, tmp_path), by_opencv(data)) < 1.5


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_what_shines_through_is_white(depth: type, tmp_path: Path) -> None:
    top = np.iinfo(depth).max
    half = np.zeros((40, 40, 4), depth)
    half[..., 2] = top  # red in OpenCV's order
    half[..., 3] = top // 2
    half[:20, :, 3] = top
    found = read(cv2.imencode(".png", half)[1].tobytes(), tmp_path)
    np.testing.assert_allclose(found[5, 5], (255, 0, 0), atol=1)
    np.testing.assert_allclose(found[30, 5], (255, 128, 128), atol=2)


@pytest.mark.parametrize("mode", ["LA", "PA"])
def test_grey_and_palette_with_transparency_lie_on_white(mode: str, tmp_path: Path) -> None:
    image = Image.new("LA", (40, 40), (0, 255))
    image.paste((0, 64), (0, 20, 40, 40))
    data = encoded(image if mode == "LA" else image.convert("RGBA").quantize(), "PNG")
    found = read(data, tmp_path)
    np.testing.assert_allclose(found[5, 5], (0, 0, 0), atol=1)
    np.testing.assert_allclose(found[30, 5], (191, 191, 191), atol=2)


def test_lab_has_the_white_of_d50(tmp_path: Path) -> None:
    lab = np.array([(80, 5, 10), (45, 30, 20), (60, -30, 25), (40, 5, -35), (12, 0, 0), (95, 0, 3)])
    planes = bars(*((round(light * 2.55), a + 128, b + 128) for light, a, b in lab))
    image = Image.merge("LAB", [Image.fromarray(np.ascontiguousarray(planes[..., i])) for i in range(3)])
    np.testing.assert_allclose(middles(read(encoded(image, "TIFF"), tmp_path)), shown_lab(lab), atol=3)


@pytest.mark.parametrize(("colorants", "gamma"), [(DISPLAY_P3, 2.2), (ADOBE_RGB, 563 / 256), (SRGB, 1.0), (SRGB, 1.8)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
def test_the_colours_of_a_profile_are_those_of_its_formula(
    colorants: tuple[tuple[float, float, float], ...], gamma: float, kind: str, tmp_path: Path
) -> None:
    lossless = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}, "AVIF": {"quality": 100}}
    data = encoded(Image.fromarray(COLOURS), kind, icc_profile=rgb_profile(colorants, gamma), **lossless.get(kind, {}))
    expected = shown(COLOURS, colorants, gamma)
    assert difference(expected, COLOURS) > 2
    # Near black a linear profile spreads one step of the file over several.
    np.testing.assert_allclose(middles(read(data, tmp_path)), middles(expected), atol=4 if kind == "AVIF" else 3)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_the_profile_of_a_grey_picture_is_applied_to_its_grey(mode: str, tmp_path: Path) -> None:
    ramp = Image.fromarray(np.linspace(0, 255, 256).astype(np.uint8)[None].repeat(16, 0)).convert(mode)
    found = read(encoded(ramp, "PNG", icc_profile=grey_profile(1.0)), tmp_path)
    grey = np.linspace(0, 255, 256)[:, None].repeat(3, 1)
    np.testing.assert_allclose(found[8, 8:], shown(grey, SRGB, 1.0)[8:], atol=3)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_with_a_profile_shows_the_inks_of_the_profile(kind: str, tmp_path: Path) -> None:
    inks = bars(*(tuple(255 * i for i in ink) for ink in INKS))
    image = Image.merge("CMYK", [Image.fromarray(np.ascontiguousarray(inks[..., i])) for i in range(4)])
    found = read(
        encoded(image, kind, icc_profile=cmyk_profile(), **({"quality": 100} if kind == "JPEG" else {})), tmp_path
    )
    np.testing.assert_allclose(middles(found), shown_lab(np.array(list(INKS.values()))), atol=6)  # Lab of 8 bits


def test_cmyk_without_a_profile_multiplies_its_inks(tmp_path: Path) -> None:
    inks = bars((0, 0, 0, 0), (255, 0, 0, 0), (0, 0, 0, 128), (51, 102, 0, 51))
    image = Image.merge("CMYK", [Image.fromarray(np.ascontiguousarray(inks[..., i])) for i in range(4)])
    expected = [(255, 255, 255), (0, 255, 255), (127, 127, 127), (163, 122, 204)]
    np.testing.assert_allclose(middles(read(encoded(image, "TIFF"), tmp_path)), expected, atol=2)


@pytest.mark.parametrize(
    "profile",
    [b"no profile", rgb_profile(DISPLAY_P3, 2.2)[:200], cmyk_profile(), grey_profile(1.0)[:-30], bytes(4000)],
    ids=["junk", "cut off", "of another space", "grey, cut off", "zeros"],
)
def test_a_profile_that_cannot_be_used_is_passed_over(profile: bytes, tmp_path: Path) -> None:
    data = encoded(Image.fromarray(COLOURS), "PNG", icc_profile=profile)
    assert difference(read(data, tmp_path), COLOURS) < 1


def avif(colours: np.ndarray, primaries: int, transfer: int) -> bytes:
    """Colours stored as they are, with other code points written over those of the `colr` box."""
    data = encoded(Image.fromarray(colours), "AVIF", quality=100, subsampling="4:4:4")
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def png(colours: np.ndarray, *chunks: bytes) -> bytes:
    data = encoded(Image.fromarray(colours), "PNG")
    return data[:33] + b"".join(chunks) + data[33:]  # behind IHDR


def coded(colours: np.ndarray, kind: str, primaries: int, transfer: int) -> bytes:
    if kind == "AVIF":
        return avif(colours, primaries, transfer)
    return png(colours, png_chunk(b"cICP", bytes([primaries, transfer, 0, 1])))


def greys(*shares: float) -> np.ndarray:
    return bars(*((round(255 * s),) * 3 for s in shares))


@pytest.mark.parametrize("kind", ["AVIF", "PNG"])
def test_wide_gamut_by_code_points_equals_the_same_by_a_profile(kind: str, tmp_path: Path) -> None:
    linear = (COLOURS / 255.0) ** 2.2 @ np.array(DISPLAY_P3) @ np.linalg.inv(np.array(SRGB))
    expected = np.clip(linear, 0, 1) ** (1 / 2.2) * 255
    np.testing.assert_allclose(middles(read(coded(COLOURS, kind, 12, 13), tmp_path))[:5], middles(expected)[:5], atol=6)


@pytest.mark.parametrize("kind", ["AVIF", "PNG"])
def test_hdr_is_shown_with_its_white_below_the_screen_s(kind: str, tmp_path: Path) -> None:
    """BT.2408, table 1: diffuse white of 203 nits is 58 % of PQ and 75 % of HLG; 1000 nits are 75 % and 100 %."""
    for transfer, paper, peak in ((16, 0.58, 0.752), (18, 0.75, 1.0)):
        found = middles(read(coded(greys(0, paper, peak), kind, 9, transfer), tmp_path)).astype(int)
        # Reinhard: 1 becomes (1 + 1/peak^2) / 2 with a peak of 1000/203, linear: 0.521, which sRGB writes as 191.
        np.testing.assert_allclose(found[:, 0], (0, 191, 255), atol=3)
        assert np.ptp(found, axis=1).max() <= 3  # grey stays grey


def test_linear_light_is_encoded(tmp_path: Path) -> None:
    found = middles(read(coded(greys(0, 0.2140, 1), "PNG", 1, 8), tmp_path))
    np.testing.assert_allclose(found[:, 0], (0, 128, 255), atol=2)


@pytest.mark.parametrize(
    ("gamma", "expected"), [(1.0, 188), (1 / 2.2, 128), (0.45455, 128), (1 / 1.8, 146), (0.0, 128), (9e3, 128)]
)
def test_the_gamma_of_a_png_counts_unless_it_is_the_usual_or_absurd(
    gamma: float, expected: int, tmp_path: Path
) -> None:
    data = png(greys(128 / 255), png_chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000))))
    assert abs(int(read(data, tmp_path)[16, 16, 0]) - expected) <= 2


def test_srgb_and_a_profile_go_before_gamma(tmp_path: Path) -> None:
    gamma, srgb = png_chunk(b"gAMA", struct.pack(">I", 100_000)), png_chunk(b"sRGB", b"\0")
    assert abs(int(read(png(greys(0.5), gamma, srgb), tmp_path)[16, 16, 0]) - 128) <= 1
    profile = rgb_profile(SRGB, 1.8)
    named = png_chunk(b"iCCP", b"p\0\0" + zlib.compress(profile))
    found = read(png(COLOURS, named, gamma), tmp_path)
    np.testing.assert_allclose(middles(found), middles(shown(COLOURS, SRGB, 1.8)), atol=3)


def test_code_points_that_nobody_defined_change_nothing(tmp_path: Path) -> None:
    for kind in ("AVIF", "PNG"):
        found = read(coded(COLOURS, kind, 200, 99), tmp_path)
        assert difference(found, COLOURS) < 2


def test_pillow_reads_what_the_tests_wrote() -> None:
    """The constructed profiles are valid: littlecms opens all of them."""
    from PIL import ImageCms

    for profile, space in ((rgb_profile(SRGB, 2.2), "RGB"), (grey_profile(2.2), "GRAY"), (cmyk_profile(), "CMYK")):
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        assert opened.profile.xcolor_space.strip() == space
