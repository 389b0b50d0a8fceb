"""What a file is, from its bytes, and why it cannot be used."""

from pathlib import Path

import pytest
from PIL import Image

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.probe import probe
from pipeline.media.reasons import REASONS
from tests.media.odd_files import bomb_png
from tests.media.stills import SIZE, encoded, picture, video

SETTINGS = FrameSettings(max_pixels=4_000_000, max_duration_s=30)


def reason(path: Path) -> str:
    with pytest.raises(MediaError) as error:
        probe(path, SETTINGS)
    assert error.value.reason in REASONS
    assert error.value.detail
    return error.value.reason


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_pictures_are_known_by_their_bytes_whatever_they_are_called(tmp_path: Path, kind: str) -> None:
    found = probe(write(tmp_path / "called.mp4", encoded(picture(), kind)), SETTINGS)
    assert (found.media, found.width_px, found.height_px, found.duration_s) == ("image", *SIZE, None)


def test_a_video_is_known_by_its_bytes_whatever_it_is_called(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", [1, 2]).rename(tmp_path / "picture.jpg")
    found = probe(path, SETTINGS)
    assert (found.media, found.width_px, found.height_px) == ("video", *SIZE)
    assert found.duration_s == pytest.approx(2.0, abs=0.01)
    assert found.fps == pytest.approx(12.0)


def test_exif_rotation_swaps_width_and_height(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = probe(write(tmp_path / "a.jpg", encoded(picture(), "JPEG", exif=exif)), SETTINGS)
    assert (found.width_px, found.height_px) == (SIZE[1], SIZE[0])


def test_an_animation_counts_as_its_first_picture(tmp_path: Path) -> None:
    data = encoded(picture(1), "GIF", save_all=True, append_images=[picture(2)], duration=100)
    assert probe(write(tmp_path / "a.gif", data), SETTINGS).media == "image"


def test_a_picture_just_over_the_limit_of_pixels_has_a_reason(tmp_path: Path) -> None:
    assert reason(write(tmp_path / "a.png", bomb_png(2001, 2000))) == "too_many_pixels"


def test_a_video_over_the_limit_of_time_has_a_reason(tmp_path: Path) -> None:
    path = video(tmp_path / "long.mp4", list(range(16)), frames=24)
    assert reason(path) == "too_long"
