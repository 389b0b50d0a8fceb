"""Sampled frames as one small video, for servers that read videos."""

from __future__ import annotations

import io
from fractions import Fraction

import av
from av.video.stream import VideoStream

from pipeline.media.jpeg import decode_jpeg
from pipeline.models.protocols import Pixels

# Nearly lossless, and one thread: the same bytes on every machine.
_H264 = {"crf": "18", "preset": "veryfast", "bf": "0"}
_ONE_FPS = Fraction(1)


def mean_fps(times_s: tuple[float, ...]) -> Fraction:
    """Frames a second of frames at rising `times_s`, as one even rate; 1 where there is no span."""
    span = times_s[-1] - times_s[0]
    return Fraction((len(times_s) - 1) / span).limit_denominator(1001) if span > 0 else _ONE_FPS


def mp4(pixels: Pixels) -> bytes:
    """Frames as silent H.264 in MP4 at their mean rate, so that the first is at 0 s; of the first frame's size."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"fflags": "bitexact"}) as container:
        stream: VideoStream | None = None
        for frame in pixels.frames:
            shot = av.VideoFrame.from_ndarray(decode_jpeg(frame), format="rgb24")
            if stream is None:
                stream = container.add_stream("libx264", rate=mean_fps(pixels.times_s), options=_H264)
                stream.width, stream.height = max(2, shot.width // 2 * 2), max(2, shot.height // 2 * 2)
                stream.pix_fmt = "yuv420p"
                stream.codec_context.thread_count = 1
            container.mux(stream.encode(shot.reformat(stream.width, stream.height, "yuv420p", threads=1)))
        if stream is not None:
            container.mux(stream.encode())
    return buffer.getvalue()
