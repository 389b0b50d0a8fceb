"""Which pictures and segments show nothing."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageFont

from pipeline.config import FrameSettings, PictureSettings
from pipeline.media.frames import FrameStore
from pipeline.media.jpeg import encode_jpeg
from pipeline.models.protocols import Pixels
from pipeline.seed_pool.pictures import PictureSource, judge_pictures, verdict
from tests.media.stills import picture

LIMITS = PictureSettings()


def scene() -> np.ndarray:
    """Blocks of all tones with sharp edges."""
    blocks = np.random.default_rng(1).integers(0, 256, (12, 16, 3))
    return np.kron(blocks, np.ones((30, 30, 1))).astype(np.uint8)


def page(lines: int, size: int, colour: str = "black") -> np.ndarray:
    image = Image.new("RGB", (724, 1024), "white")
    for line in range(lines):
        text = "The quick brown fox jumps over the lazy dog"
        ImageDraw.Draw(image).text((60, 80 + 28 * line), text, fill=colour, font=ImageFont.load_default(size))
    return np.asarray(image)


def plain(tone: int, noise: float = 0.0) -> np.ndarray:
    values = tone + np.random.default_rng(0).normal(0, 1, (300, 400, 3)) * noise
    return np.clip(values, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (scene(), None),
        (np.asarray(picture(size=(640, 480))), "blurred"),
        (plain(130), "near_uniform"),
        (plain(255), "near_uniform"),
        (plain(130, noise=3), "near_uniform"),
        ((scene() / 10).astype(np.uint8), "underexposed"),
        ((scene() / 10 + 225).astype(np.uint8), "overexposed"),
        (cv2.GaussianBlur(scene(), (0, 0), 4), "blurred"),
        (cv2.GaussianBlur(scene(), (0, 0), 1), None),
        (page(1, 24), None),
        (page(1, 24, "#888888"), None),
        (page(30, 20), None),
        (255 - page(30, 20), None),
    ],
    ids=[
        "sharp", "smooth", "grey", "white", "noise", "dark", "washed out", "blurred", "slightly soft",
        "one line", "one grey line", "page", "white on black",
    ],
)  # fmt: skip
def test_what_shows_nothing_has_its_reason_and_pages_stay(image: np.ndarray, reason: str | None) -> None:
    found = verdict([image], LIMITS)
    assert (found and found[0]) == reason
    if found:
        assert "limit" in found[1]


def test_the_detail_has_measure_and_limit() -> None:
    assert verdict([plain(130)], LIMITS) == ("near_uniform", "contrast 0.0, limit 16")
    strict = PictureSettings(min_contrast=0, min_entropy_bits=2)
    assert verdict([plain(130)], strict) == ("near_uniform", "entropy 0.000 bits, limit 2 bits")
    dark = np.minimum(scene(), 20)
    assert verdict([dark], LIMITS) == ("underexposed", "99th percentile of luma 20.0, limit 32")
    white = PictureSettings(max_clipped_share=0.5)
    found = verdict([page(1, 24)], white)
    assert found is not None
    assert found[0] == "overexposed"
    assert found[1].endswith("of the pixels white, limit 0.5")


def test_one_good_frame_keeps_a_segment_and_later_ones_are_not_looked_at() -> None:
    dark, good = np.zeros((300, 400, 3), np.uint8), scene()

    def frames() -> Iterator[np.ndarray]:
        yield dark
        yield good
        raise AssertionError("a frame too many")

    assert verdict(frames(), LIMITS) is None
    assert verdict([dark, dark], LIMITS) is not None


def test_a_segment_is_blurred_only_when_all_its_frames_are() -> None:
    soft = cv2.GaussianBlur(scene(), (0, 0), 5)
    assert verdict([soft, soft], LIMITS) is not None
    assert verdict([soft, scene()], LIMITS) is None
    assert verdict([soft, cv2.GaussianBlur(scene(), (0, 0), 80)], LIMITS) is None  # of which nothing can be said


def test_the_stage_reads_the_cached_frames(tmp_path: Path) -> None:
    store = FrameStore(tmp_path / "cache", tmp_path, FrameSettings())
    store.put("a1", Pixels((encode_jpeg(scene()),), (0.0,), video=False))
    store.put("a2", Pixels((encode_jpeg(plain(0)), encode_jpeg(plain(0))), (0.0, 1.0), video=True))
    rows = pa.table(
        {
            "asset_id": ["a1", "a2"],
            "uri": ["a.png", "b.mp4"],
            "media": ["image", "video"],
            "start_s": [None, 0.0],
            "end_s": [None, 2.0],
        }
    )
    found = judge_pictures(rows, PictureSource(store, LIMITS)).column("reject").to_pylist()
    assert found[0] is None
    assert (found[1]["stage"], found[1]["reason"]) == ("pictures", "near_uniform")
