"""Cuts spans of a video into files of their own, for formats that cannot name a span."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from pipeline.atomic import replacing
from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.jpeg import encode_jpeg
from pipeline.media.places import Place
from pipeline.media.videos import SCALING, Frame, open_video

VERSION = 1  # of how clips are made: another number never meets old files
_CLOCK = Fraction(1, 90_000)  # of presentation stamps; fine enough for any frame rate
_FALLBACK_FPS = 25
# Without B-frames, which leave gaps in presentation stamps, and without a look ahead: with it, the first clip of a
# process got other bytes than the same clip later.
_H264 = {
    "crf": "20",
    "preset": "veryfast",
    "bf": "0",
    "x264-params": "rc-lookahead=0:sync-lookahead=0:mbtree=0:weightp=0:scenecut=0",
}

Span = tuple[float, float | None]  # seconds from the first frame; a null end means the end of the file


def suffix(span: Span) -> str:
    """What a span becomes: a still where it has no length (a key frame), else a video."""
    return ".jpg" if span[0] == span[1] else ".mp4"


def cut(place: Place, targets: Sequence[tuple[Span, Path]], settings: FrameSettings) -> list[MediaError | None]:
    """Write each span of a video to its target in one decode; says of each why it could not be.

    A clip is silent H.264 in MP4, upright, with the original frame times, longer side at most
    max_side_px. A span that holds no frame gives the one on display at its start. A file that
    breaks half way keeps the clips that end before. Targets appear whole or not at all.
    Raises MediaError when the file cannot be opened, OSError when the disk is full.
    """
    if not targets:
        return []
    with TemporaryDirectory(prefix=".", dir=targets[0][1].parent) as scratch, open_video(place, settings) as video:
        fps = Fraction(video.fps or _FALLBACK_FPS).limit_denominator(1001)
        clips = [_Clip(span, Path(scratch) / target.name, fps, settings) for span, target in targets]
        broken: MediaError | None = None
        try:
            for frame in video.frames():
                for clip in clips:
                    clip.take(frame)
                if all(clip.done for clip in clips):
                    break
        except MediaError as error:
            broken = error
        verdicts = [clip.finish(broken) for clip in clips]
        for clip, (_, target), verdict in zip(clips, targets, verdicts, strict=True):
            if verdict is None:
                with replacing(target) as temporary:
                    clip.path.rename(temporary)
    return verdicts


class _Clip:
    """One span on its way to a file."""

    def __init__(self, span: Span, path: Path, fps: Fraction, settings: FrameSettings) -> None:
        self.start_s, self.end_s = span
        self.path, self.fps, self.settings = path, fps, settings
        self.shown: Frame | None = None  # the last frame at or before the start
        self.done = False
        self.output: tuple[OutputContainer, VideoStream] | None = None

    def take(self, frame: Frame) -> None:
        if frame.time_s <= self.start_s:
            self.shown = frame
        if self.done or frame.time_s < self.start_s:
            return
        if self.end_s is not None and frame.time_s >= max(self.end_s, self.start_s) and frame.time_s > self.start_s:
            self.done = True
        elif self.start_s != self.end_s:
            self._write(frame)

    def finish(self, broken: MediaError | None) -> MediaError | None:
        """Close the file; says why there is none."""
        if broken is not None and not self.done:
            verdict: MediaError | None = broken
        elif self.output is None and (self.shown is None or self.shown.end_s < self.start_s):
            verdict = MediaError("no_frames", f"the video ends before {self.start_s:.3f} s")
        else:
            verdict = None
            if self.output is None and self.shown is not None:
                self._write(self.shown)
        if self.output is not None:
            container, stream = self.output
            container.mux(stream.encode())
            container.close()
        return verdict

    def _write(self, frame: Frame) -> None:
        picture = frame.picture(self.settings.max_side_px)
        if self.start_s == self.end_s:
            self.path.write_bytes(encode_jpeg(picture))
            return
        if self.output is None:
            self.output = self._opened(picture.shape[1], picture.shape[0])
        container, stream = self.output
        shot = av.VideoFrame.from_ndarray(picture, format="rgb24")
        # Also where a video changes its size. The precise flags give the same bytes everywhere.
        shot = shot.reformat(stream.width, stream.height, "yuv420p", interpolation=SCALING, threads=1)
        shot.pts, shot.time_base = round(max(frame.time_s - self.start_s, 0) / _CLOCK), _CLOCK
        container.mux(stream.encode(shot))

    def _opened(self, width: int, height: int) -> tuple[OutputContainer, VideoStream]:
        options = {"movflags": "faststart", "fflags": "bitexact"}
        container = av.open(str(self.path), "w", format="mp4", options=options)
        stream = container.add_stream("libx264", rate=self.fps, options=_H264)
        stream.width, stream.height = max(2, width // 2 * 2), max(2, height // 2 * 2)  # 4:2:0 halves both
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _CLOCK
        stream.codec_context.thread_count = 1  # more would change the bytes with the machine
        return container, stream
