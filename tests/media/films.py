"""Small videos made on the spot: scenes of coloured noise whose cuts are known to the frame."""

from __future__ import annotations

import io
import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.config import FrameSettings
from pipeline.media.videos import open_video

Picture = NDArray[np.uint8]
FPS = 25
SIZE = (192, 108)  # width, height


def noise_scene(seed: int, frames: int, size: tuple[int, int] = SIZE) -> list[Picture]:
    """A picture of coloured blocks that drifts two pixels a frame: one scene, always moving."""
    rng = np.random.default_rng(seed)
    width, height = size
    base = np.array([(seed * 97) % 200, (seed * 53) % 200, (seed * 151) % 200])
    blocks = np.clip(rng.integers(-60, 61, (height // 12 + 1, width // 12 + 1, 3)) + base + 28, 0, 255)
    big = np.kron(blocks, np.ones((12, 12, 1))).astype(np.uint8)[:height, :width]
    return [np.roll(big, 2 * i, axis=1) for i in range(frames)]


def still_scene(colour: tuple[int, int, int], frames: int, size: tuple[int, int] = SIZE) -> list[Picture]:
    """The same plain picture again and again."""
    return [np.full((size[1], size[0], 3), colour, np.uint8)] * frames


def textured_still(seed: int, frames: int) -> list[Picture]:
    """The same coloured blocks again and again."""
    return noise_scene(seed, 1) * frames


def film(
    frames: Sequence[Picture],
    container: str = "mp4",
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    times: Iterable[int] | None = None,
    index_first: bool = False,
) -> bytes:
    """Encode frames at 25 a second; `times` are presentation stamps in frames where they are not even."""
    if index_first:  # libav moves the index by reading the finished file, so there must be one
        with tempfile.NamedTemporaryFile(suffix=f".{container}") as file:
            _encode(frames, file.name, container, codec, options, times)
            return Path(file.name).read_bytes()
    buffer = io.BytesIO()
    _encode(frames, buffer, container, codec, options, times)
    return buffer.getvalue()


def _encode(
    frames: Sequence[Picture],
    target: str | io.BytesIO,
    container: str,
    codec: str,
    options: dict[str, str] | None,
    times: Iterable[int] | None,
) -> None:
    index = {"movflags": "faststart"} if isinstance(target, str) else {}
    with _as_scheduled(), av.open(target, "w", format=container, options=index) as output:
        stream = output.add_stream(codec, rate=FPS, options=options or {"crf": "12", "g": "10", "bf": "0"})
        assert isinstance(stream, VideoStream)  # for mypy: a codec's name does not say so
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.thread_count = 1
        for stamp, picture in zip(times or range(len(frames)), frames, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = stamp
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


@contextmanager
def _as_scheduled() -> Iterator[None]:
    """Leave the thread as it was: as root, SVT-AV1 makes whoever calls it, and so all its children, real-time
    (SCHED_FIFO, 99), and everything else on the machine waits for the rest of the suite."""
    if not hasattr(os, "sched_getscheduler"):  # macOS
        yield
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def sound() -> bytes:
    """An mp4 that holds half a second of silence and no video."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=44_100)
        for i in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44_100, i * 1024
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return buffer.getvalue()


def turned(data: bytes) -> bytes:
    """Write a display matrix "turn 90 degrees clockwise" into the track header of an mp4."""
    fixed = 1 << 16
    upright = struct.pack(">9i", fixed, 0, 0, 0, fixed, 0, 0, 0, 1 << 30)
    clockwise = struct.pack(">9i", 0, fixed, 0, -fixed, 0, 0, SIZE[1] * fixed, 0, 1 << 30)
    track = data.index(b"tkhd")
    at = data.index(upright, track)
    return data[:at] + clockwise + data[at + len(upright) :]


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def shown(path: Path, settings: FrameSettings) -> Iterator[tuple[float, Picture]]:
    """Decode a video as the product does: the time and the picture of each frame."""
    with open_video(path, settings) as video:
        for frame in video.frames():
            yield frame.time_s, frame.picture(settings.max_side_px)
