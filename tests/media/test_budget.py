"""All frames of a video together keep to the visual budget, in their proportions."""

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.config import FrameSettings
from pipeline.media.budget import budgeted, shared, shares, thinned, within
from pipeline.media.frames import sample
from pipeline.media.jpeg import encode_jpeg, encode_picture
from pipeline.models.protocols import Pixels
from tests.media.films import FPS, film, noise_scene, written

sides = st.integers(1, 4000)


def size(jpeg):
    return Image.open(io.BytesIO(jpeg)).size


@given(sides, sides, st.integers(1, 512), st.integers(65_536, 10_000_000))
def test_frames_keep_to_the_budget_and_to_their_shape(width, height, frames, most):
    w, h = within(width, height, frames, most)
    assert 1 <= w <= width
    assert 1 <= h <= height
    assert frames * w * h <= most or 1 in (w, h)
    if frames * width * height <= most:
        assert (w, h) == (width, height)
    elif min(w, h) > 20:
        assert abs(w / h - width / height) < 0.1 * width / height


def test_the_papers_budget_lets_a_minute_of_hd_have_506_by_284():
    assert within(1024, 576, 64, FrameSettings().max_video_pixels) == (505, 284)
    assert within(1024, 576, 15, FrameSettings().max_video_pixels) == (1024, 576)


def test_frames_within_it_are_left_as_they_are():
    frames = [encode_jpeg(np.full((40, 60, 3), 10 * i, np.uint8)) for i in range(3)]
    assert budgeted(frames, 3 * 40 * 60) == tuple(frames)
    assert [size(f) for f in budgeted(frames, 3 * 40 * 60 - 1)] == [(59, 39)] * 3


def test_a_sampled_video_keeps_to_it(tmp_path):
    path = written(tmp_path / "a.mp4", film(noise_scene(4, 8 * FPS)))
    whole = sample(path, "video", None, None, FrameSettings(sample_fps=4))
    small = sample(path, "video", None, None, FrameSettings(sample_fps=4, max_video_pixels=65_536))
    assert small.times_s == whole.times_s
    assert sum(w * h for w, h in map(size, whole.frames)) > 65_536
    assert sum(w * h for w, h in map(size, small.frames)) <= 65_536


@given(st.lists(st.integers(1, 64), min_size=1, max_size=32), st.integers(32, 64))
def test_clips_of_a_film_share_its_frames_and_each_keeps_one(frames, most):
    kept = shares(frames, most)
    assert sum(kept) <= most
    assert all(1 <= k <= n for k, n in zip(kept, frames, strict=True))
    assert kept == frames or sum(kept) > most - len(frames)


def test_the_clips_of_a_film_are_one_video_to_the_model():
    frames = tuple(encode_picture(Image.new("RGB", (96, 64), (i, 0, 0))) for i in range(10))
    clip = Pixels(frames, tuple(range(10)), video=True)
    one, two = shared([clip, thinned(clip, 2)], 8, 8 * 24 * 16)
    assert (len(one.frames), len(two.frames)) == (6, 1)
    assert one.times_s == (0, 1, 3, 5, 6, 8)
    assert {Image.open(io.BytesIO(f)).size for f in one.frames + two.frames} == {(25, 17)}
    assert shared([clip], 3, 1) == (clip,)  # within its budget when it was sampled
