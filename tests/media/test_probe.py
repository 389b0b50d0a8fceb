"""What a file is, from its bytes, and why it cannot be used."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.probe import probe
from pipeline.media.reasons import REASONS
from tests.media.hostile import SIZE, encoded, fifo, picture, png_bomb, sound, video

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


HOSTILE: dict[str, tuple[Callable[[Path], Path], set[str]]] = {
    "empty": (lambda d: write(d / "a.jpg", b""), {"empty_file"}),
    "text": (lambda d: write(d / "a.jpg", b"only words here\n" * 9), {"not_media"}),
    "html called mp4": (lambda d: write(d / "a.mp4", b"<!doctype html><html><p>404</html>"), {"not_media"}),
    "json": (lambda d: write(d / "a.png", b'{"a": 1}'), {"not_media"}),
    "zeros": (lambda d: write(d / "a.mp4", b"\0" * 5000), {"not_media", "unsupported_format"}),
    "svg": (
        lambda d: write(d / "a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"></svg>'),
        {"unsupported_format", "not_media"},
    ),
    "pdf": (lambda d: write(d / "a.pdf", b"%PDF-1.7\n%\xe2\xe3\n1 0 obj"), {"unsupported_format", "not_media"}),
    "bomb": (lambda d: write(d / "a.png", png_bomb(60_000, 60_000)), {"too_many_pixels"}),
    "just over the limit": (lambda d: write(d / "a.png", png_bomb(2001, 2000)), {"too_many_pixels"}),
    "png header only": (lambda d: write(d / "a.png", encoded(picture(), "PNG")[:20]), {"truncated", "corrupt_image"}),
    "jpeg header only": (lambda d: write(d / "a.jpg", encoded(picture(), "JPEG")[:15]), {"truncated", "corrupt_image"}),
    "sound only": (lambda d: sound(d / "a.mp4"), {"no_video_stream"}),
    "fifo": (lambda d: fifo(d / "a.mp4"), {"not_a_file"}),
    "folder": (lambda d: d, {"not_a_file"}),
    "gone": (lambda d: d / "gone.jpg", {"missing"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_be_used_has_a_reason(tmp_path: Path, name: str) -> None:
    make, reasons = HOSTILE[name]
    assert reason(make(tmp_path)) in reasons


def test_links_that_dangle_or_loop_have_a_reason(tmp_path: Path) -> None:
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    assert reason(tmp_path / "dangling.jpg") == "broken_link"
    assert reason(tmp_path / "loop.jpg") == "link_loop"


def test_a_video_without_its_index_has_a_reason(tmp_path: Path) -> None:
    data = video(tmp_path / "a.mp4", [1, 2, 3]).read_bytes()
    cut = data[: data.rindex(b"moov") - 4]
    assert reason(write(tmp_path / "b.mp4", cut)) in {"truncated", "corrupt_video", "unsupported_format"}


def test_a_video_over_the_limit_of_time_has_a_reason(tmp_path: Path) -> None:
    path = video(tmp_path / "long.mp4", list(range(16)), frames=24)
    assert reason(path) == "too_long"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_has_a_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", encoded(picture(), "JPEG"))
    path.chmod(0)
    assert reason(path) == "unreadable"
