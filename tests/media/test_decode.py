"""Pictures look as a viewer shows them, in every colour mode."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.decode import read_image
from tests.media.stills import SIZE, encoded, picture

SETTINGS = FrameSettings(max_side_px=160)


def read(tmp_path: Path, data: bytes) -> np.ndarray:
    path = tmp_path / "a"
    path.write_bytes(data)
    found = read_image(path, SETTINGS)
    assert found.dtype == np.uint8
    assert found.ndim == 3
    assert found.shape[2] == 3
    return found


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGB", "PNG"), ("L", "PNG"), ("1", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("CMYK", "JPEG"), ("YCbCr", "TIFF")],
)
def test_every_mode_gives_the_picture(tmp_path: Path, mode: str, kind: str) -> None:
    original = picture().convert(mode)
    expected = np.asarray(original.convert("RGB"), np.int16)
    found = read(tmp_path, encoded(original, kind, **({"quality": 95} if kind == "JPEG" else {}))).astype(np.int16)
    assert found.shape == (SIZE[1], SIZE[0], 3)
    assert np.abs(found - expected).mean() < 6


def test_transparent_pixels_are_shown_on_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", SIZE, (200, 0, 0, 0))
    assert read(tmp_path, encoded(clear, "PNG")).min() == 255


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, SIZE[0]).astype(np.uint16)[None, :].repeat(SIZE[1], 0)
    found = read(tmp_path, encoded(Image.fromarray(ramp), "PNG"))
    assert abs(int(found[60, 80, 0]) - 128) <= 2
    assert found[60, 0, 0] == 0
    assert found[60, -1, 0] >= 254


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to view
    found = read(tmp_path, encoded(picture(), "JPEG", exif=exif, quality=95)).astype(np.int16)
    turned = np.asarray(picture().transpose(Image.Transpose.ROTATE_270), np.int16)
    assert found.shape == turned.shape
    assert np.abs(found - turned).mean() < 4


def test_large_pictures_are_scaled_to_the_longer_side(tmp_path: Path) -> None:
    found = read(tmp_path, encoded(picture(size=(640, 320)), "PNG"))
    assert found.shape == (80, 160, 3)


@pytest.mark.parametrize(("kind", "share"), [("JPEG", 0.5), ("PNG", 0.5), ("PNG", 0.9), ("WEBP", 0.6)])
def test_a_truncated_picture_has_a_reason(tmp_path: Path, kind: str, share: float) -> None:
    data = encoded(picture(), kind)
    (tmp_path / "a").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(MediaError) as error:
        read_image(tmp_path / "a", SETTINGS)
    assert error.value.reason in {"truncated", "corrupt_image"}
