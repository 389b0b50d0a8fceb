"""Smooth random pictures, and videos of them: one still a scene, with a bar that moves."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from PIL import Image

SIZE = (160, 120)


def picture(seed: int = 0, size: tuple[int, int] = SIZE) -> Image.Image:
    """A smooth random picture: survives JPEG, has an orientation."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def video(path: Path, seeds: list[int], frames: int = 12, rate: int = 12, codec: str = "mpeg4") -> Path:
    """A video of one still picture a seed, `frames` frames each."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, VideoStream)  # for mypy: a codec's name does not say so
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for seed in seeds:
            still = np.asarray(picture(seed)).copy()
            for k in range(frames):
                moving = still.copy()
                moving[20:40, 4 * (k % 30) : 4 * (k % 30) + 20] = 255
                container.mux(stream.encode(av.VideoFrame.from_ndarray(moving, format="rgb24")))
        container.mux(stream.encode())
    return path


def still_video(path: Path, colour: int, frames: int = 36) -> Path:
    """A video of one colour that never moves."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        frame = np.full((SIZE[1], SIZE[0], 3), colour, np.uint8)
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path
