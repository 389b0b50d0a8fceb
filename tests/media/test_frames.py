"""Sampled frames: the same whoever asks, cached or not; paths never leave the media root."""

import os
from pathlib import Path

import pytest

from pipeline.config import FrameSettings, SceneSettings
from pipeline.errors import MediaError
from pipeline.media.frames import FrameStore, sample, thumbnail
from pipeline.media.jpeg import decode_jpeg
from pipeline.media.uris import resolve, to_uri
from tests.media.scans import scan
from tests.media.stills import SIZE, encoded, picture, video

SETTINGS = FrameSettings(sample_fps=4)


def test_sampling_a_span_gives_the_frames_that_the_scan_kept(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", [1, 2], frames=24)
    for s in scan(path, SETTINGS, SceneSettings()).segments:
        assert sample(path, "video", s.start_s, s.end_s, SETTINGS) == s.pixels


def test_the_store_gives_the_same_pixels_with_and_without_its_cache(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(picture(), "PNG"))
    store = FrameStore(tmp_path / "cache", tmp_path, SETTINGS)
    fresh = store.get("a1", "a.png", "image", None, None)
    (tmp_path / "a.png").unlink()
    assert store.get("a1", "a.png", "image", None, None) == fresh


def test_a_damaged_cache_file_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(picture(), "PNG"))
    store = FrameStore(tmp_path / "cache", tmp_path, SETTINGS)
    fresh = store.get("a1", "a.png", "image", None, None)
    path = store.path("a1")
    path.write_bytes(path.read_bytes()[:-7])
    assert store.get("a1", "a.png", "image", None, None) == fresh


def test_thumbnails_fit_their_side(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(picture(size=(400, 200)), "PNG"))
    pixels = sample(tmp_path / "a.png", "image", None, None, SETTINGS)
    assert decode_jpeg(thumbnail(pixels, FrameSettings(thumbnail_px=64))).shape == (32, 64, 3)
    assert SIZE != (64, 32)


@pytest.mark.parametrize(
    "name", ["plain.jpg", "with space.jpg", 'quo"te.jpg', "new\nline.jpg", "emoji 🎬.jpg", "100%.jpg"]
)
def test_a_uri_leads_back_to_its_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "folder" / name
    path.parent.mkdir()
    path.write_bytes(b"x")
    assert resolve(tmp_path, to_uri(path, tmp_path)) == path


def test_bytes_that_are_not_utf8_lead_back_to_their_file(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
    path.write_bytes(b"x")
    uri = to_uri(path, tmp_path)
    assert uri == "caf\\xe9.jpg"
    assert os.fsencode(resolve(tmp_path, uri)) == os.fsencode(path)


@pytest.mark.parametrize("uri", ["../secret.jpg", "/etc/passwd", "a/../../secret.jpg", "link.jpg"])
def test_no_uri_leaves_the_media_root(tmp_path: Path, uri: str) -> None:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(MediaError) as error:
        resolve(root, uri)
    assert error.value.reason == "outside_media_root"
