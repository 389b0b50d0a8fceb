from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.config import FrameSettings
from pipeline.media.frames import FrameStore
from pipeline.media.jpeg import encode_jpeg
from pipeline.models.protocols import Pixels
from pipeline.report import thumbs
from pipeline.report.thumbs import Place, Thumbnails, frame_settings
from pipeline.store.shards import Manifest, read_manifest
from tests.report.example_run import Run, assets, write_pool

SETTINGS = FrameSettings()
VIDEO = "clips/scenes.mp4"


def thumbnails(run: Run, limit: int = 100) -> Thumbnails:
    write_pool(run)
    return Thumbnails(run.out, read_manifest(run.out / "seed_pool/assets"), SETTINGS, limit)


def pixel(made: Thumbnails, css: str | None) -> tuple[int, int, int]:
    """The colour in the corner of the picture that a class draws."""
    found = re.search(rf"\.{css}{{background-image:url\(data:image/jpeg;base64,([A-Za-z0-9+/=]+)\)}}", made.css())
    assert found is not None
    red, green, blue = Image.open(io.BytesIO(base64.b64decode(found[1]))).convert("RGB").getpixel((3, 3))  # type: ignore[misc]
    return red, green, blue


def test_a_picture_shown_twice_is_embedded_once(run: Run) -> None:
    made = thumbnails(run)
    first, again = (made.of(Place(run.images[0], "image", None, None)) for _ in range(2))
    assert first == again
    assert first.css == "p0"
    assert made.css().count("data:image/jpeg") == 1


def test_a_full_page_shows_neutral_tiles(run: Run) -> None:
    made = thumbnails(run, limit=1)
    shown = [made.of(Place(uri, "image", None, None)) for uri in run.images[:3]]
    assert [p.css for p in shown] == ["p0", None, None]
    assert shown[1].kind == "PNG"


@pytest.mark.parametrize(
    "place",
    [
        Place("gone.jpg", "image", None, None),
        Place("../outside.jpg", "image", None, None),
        Place("s3://bucket/far.jpg", "image", None, None),
        Place("notes.txt", "file", None, None),
        Place(VIDEO, "video", 500.0, 501.0),
    ],
)
def test_what_cannot_be_read_is_a_neutral_tile(run: Run, place: Place) -> None:
    assert thumbnails(run).of(place).css is None


def test_a_moment_inside_a_segment_shows_the_nearest_cached_frame(run: Run) -> None:
    made = thumbnails(run)
    segment = next(a for a in assets(run) if a["start_s"] == 2.0)
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    frames = tuple(encode_jpeg(np.full((40, 40, 3), c, np.uint8)) for c in colours)
    FrameStore(run.out / "cache", run.media, SETTINGS).put(
        segment["asset_id"], Pixels(frames, (2.2, 3.0, 3.8), video=True)
    )
    moment = Place(VIDEO, "video", 3.5, 3.9)
    made.learn([moment])
    red, green, blue = pixel(made, made.of(moment).css)
    assert (red < 20, green < 20, blue > 230) == (True, True, True)


def test_without_cached_frames_a_span_is_decoded_from_the_medium(run: Run) -> None:
    made = thumbnails(run)
    red, green, blue = pixel(made, made.of(Place(VIDEO, "video", 4.2, 5.0)).css)
    assert blue > 150 > max(red, green)  # the third scene
    assert not (run.out / "cache").exists()  # a report only reads


def test_only_a_few_uncached_videos_are_decoded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbs, "MAX_DECODED_VIDEOS", 1)
    made = thumbnails(run)
    assert made.of(Place(VIDEO, "video", 0.0, 1.0)).css == "p0"
    assert made.of(Place(VIDEO, "video", 4.0, 5.0)).css is None


def test_frames_are_looked_up_with_the_settings_of_the_run(tmp_path: Path) -> None:
    now = FrameSettings(thumbnail_px=96)
    then = Manifest(1, "f", {"frames": FrameSettings(max_frames=7).model_dump()})
    assert frame_settings(then, now) == FrameSettings(max_frames=7, thumbnail_px=96)
    assert frame_settings(None, now) == now
    assert frame_settings(Manifest(1, "f", {"frames": {"unknown": 1}}), now) == now
