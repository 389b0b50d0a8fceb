"""Opens videos and decodes their frames in order, with times from presentation stamps."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.animations import plays, stills
from pipeline.media.images import check_pixels, fit
from pipeline.media.kinds import Kind, identify
from pipeline.media.opening import open_medium
from pipeline.media.places import Place
from pipeline.media.truncation import missing_end
from pipeline.models.protocols import Picture

SCALING = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT
_ROUGH_SCALING = Interpolation.FAST_BILINEAR | Interpolation.BITEXACT
_NETWORK_SCALING = Interpolation.BICUBIC | Interpolation.BITEXACT  # the ffmpeg program's, which networks are trained on
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_HD_HEIGHT_PX = 720  # from here on, players take unlabelled colours for BT.709
_MAX_FPS = 1000.0  # more is a clock's tick, not a frame rate
_MAX_PIXEL_ASPECT = 4.0
_MISSING_S, _MISSING_SHARE = 1.0, 0.05  # a video that ends earlier than it declares by more than both is cut off


@dataclass(frozen=True)
class Frame:
    """One decoded frame, not yet converted to RGB. Times in seconds from the first frame of the file."""

    time_s: float
    end_s: float  # when the next one is due
    raw: VideoFrame
    pixel_aspect: float
    scalers: dict[int, VideoReformatter] = field(
        repr=False
    )  # of the file: by longer side, negative for rough, 0 for squeezed

    def picture(self, max_side_px: int) -> Picture:
        """uint8 [H, W, 3] RGB, upright, square pixels, longer side at most `max_side_px`."""
        width, height = fit(*_square(self.raw.width, self.raw.height, self.pixel_aspect), max_side_px)
        hd = self.raw.colorspace == _UNSPECIFIED and self.raw.height >= _HD_HEIGHT_PX
        scaler = self.scalers.setdefault(max_side_px, VideoReformatter())
        scaled = scaler.reformat(
            self.raw, width, height, "rgb24", Colorspace.ITU709 if hd else None, interpolation=SCALING, threads=1
        )
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), _quarter_turns(self.raw)))

    def rough(self, max_side_px: int) -> Picture:
        """uint8 [h, w, 3] BGR as stored, for comparing frames: not turned, pixels not made square, colours as coded."""
        width, height = fit(self.raw.width, self.raw.height, max_side_px)
        scaler = self.scalers.setdefault(-max_side_px, VideoReformatter())
        scaled = scaler.reformat(self.raw, width, height, "bgr24", interpolation=_ROUGH_SCALING, threads=1)
        return np.asarray(scaled.to_ndarray())

    def squeezed(self, width: int, height: int) -> Picture:
        """uint8 [height, width, 3] RGB, upright, of that size whatever the frame's shape; colours as coded."""
        turns = _quarter_turns(self.raw)
        size = (height, width) if turns % 2 else (width, height)
        scaler = self.scalers.setdefault(0, VideoReformatter())
        scaled = scaler.reformat(self.raw, *size, "rgb24", interpolation=_NETWORK_SCALING, threads=1)
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), turns))

    def reduced(self, max_side_px: int) -> Frame:
        """The same frame in less memory, where `picture(max_side_px)` needs less: all that is then left of it."""
        width, height = fit(*self.displayed_size, max_side_px)
        if 3 * width * height >= self.held_bytes:
            return self
        return replace(self, raw=VideoFrame.from_ndarray(self.picture(max_side_px), format="rgb24"), pixel_aspect=1.0)

    @property
    def held_bytes(self) -> int:
        """Memory that the decoded picture takes."""
        return sum(plane.buffer_size for plane in self.raw.planes)

    @property
    def displayed_size(self) -> tuple[int, int]:
        """(width, height) in px with square pixels, after rotation."""
        width, height = _square(self.raw.width, self.raw.height, self.pixel_aspect)
        return (height, width) if _quarter_turns(self.raw) % 2 else (width, height)


def _quarter_turns(raw: VideoFrame) -> int:
    """Counterclockwise quarter turns that set a frame upright, 0..3."""
    return round(raw.rotation / 90) % 4


def _square(width: int, height: int, pixel_aspect: float) -> tuple[int, int]:
    """The size with square pixels: the short side of a pixel is stretched, so nothing is lost."""
    if pixel_aspect >= 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)


@dataclass(frozen=True)
class Video:
    """An opened video file. Its size stands in its frames: `displayed_size`."""

    container: InputContainer
    stream: VideoStream
    settings: FrameSettings
    _scalers: dict[int, VideoReformatter] = field(default_factory=dict, repr=False)

    @property
    def fps(self) -> float | None:
        """Mean frame rate; None where the container tells nothing sensible."""
        rates = (self.stream.average_rate, self.stream.guessed_rate)
        return next((float(r) for r in rates if r and 0 < r <= _MAX_FPS), None)

    @property
    def stream_duration_s(self) -> float | None:
        """What the picture track declares as its own length; None where only the file's is known."""
        if self.stream.duration and self.stream.time_base and self.container.format.name != "mpeg":
            return float(self.stream.duration * self.stream.time_base)
        written = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", self.stream.metadata.get("DURATION", ""))
        return None if written is None else int(written[1]) * 3600 + int(written[2]) * 60 + float(written[3])

    @property
    def duration_s(self) -> float | None:
        """Declared length in seconds; None where the container tells none."""
        whole = self.container.duration
        return self.stream_duration_s or (whole / av.time_base if whole else None)

    @property
    def _pixel_aspect(self) -> float:
        aspect = self.stream.codec_context.sample_aspect_ratio
        return float(aspect) if aspect and 1 / _MAX_PIXEL_ASPECT <= aspect <= _MAX_PIXEL_ASPECT else 1.0

    def frames(self) -> Iterator[Frame]:
        """Every good frame in order of presentation, with strictly rising times.

        Damaged frames before the first good one are skipped (a recording may begin between key
        frames). At later damage, or an end well before the declared one, all good frames come
        first and then MediaError corrupt_video; decode_timeout, too_long and too_many_pixels
        likewise.
        """
        limit_s = decode_limit_s(self.settings, self.duration_s)
        gap_s = 1 / (self.fps or 25.0)
        origin, last = None, None
        for raw in self._decoded(limit_s):
            check_pixels(raw.width, raw.height, self.settings.max_pixels)
            if raw.is_corrupt:
                if last is None:
                    continue
                raise MediaError("corrupt_video", f"a frame after {last.time_s:.3f} s is damaged")
            shown = raw.pts * raw.time_base if raw.pts is not None and raw.time_base else None
            if origin is None:
                origin = shown or 0
            at = round(float(shown - origin), 6) if shown is not None else (last.end_s if last else 0.0)
            if last is not None and at <= last.time_s:
                continue
            if at > self.settings.max_duration_s:
                raise MediaError("too_long", f"frames at {at:.1f} s, limit {self.settings.max_duration_s:g} s")
            lasts = float(raw.duration * raw.time_base) if raw.duration and raw.time_base else gap_s
            last = Frame(at, round(at + lasts, 6), raw, self._pixel_aspect, self._scalers)
            yield last
        self._check_end(last)

    def _decoded(self, limit_s: float) -> Iterator[VideoFrame]:
        deadline = time.monotonic() + limit_s
        try:
            for packet in self.container.demux(self.stream):
                for raw in packet.decode():
                    if time.monotonic() > deadline:
                        raise MediaError("decode_timeout", f"more than {limit_s:.0f} s")
                    handed_s = time.monotonic()
                    yield raw
                    deadline += time.monotonic() - handed_s  # what a caller does with it is no decoding
                if time.monotonic() > deadline:
                    raise MediaError("decode_timeout", f"more than {limit_s:.0f} s")
        except av.FFmpegError as error:
            raise MediaError("corrupt_video", f"decoding stopped: {(error.strerror or str(error)).lower()}") from error

    def _check_end(self, last: Frame | None) -> None:
        if last is None:
            raise MediaError("corrupt_video", "no frame can be decoded")
        declared = self.stream_duration_s
        if declared is not None and declared - last.end_s > max(_MISSING_S, _MISSING_SHARE * declared):
            raise MediaError("corrupt_video", f"frames end at {last.end_s:.3f} s of {declared:.3f} s")


def decode_limit_s(settings: FrameSettings, duration_s: float | None) -> float:
    """Wall time that a file may take: a long video needs longer, a broken one must not stall a run."""
    return settings.max_decode_s + min(duration_s or 0.0, settings.max_duration_s)


@dataclass(frozen=True)
class Animation:
    """An opened animated picture, as a video. It declares neither length nor frame rate."""

    file: BinaryIO
    kind: Kind
    settings: FrameSettings
    fps: None = None
    duration_s: None = None
    stream_duration_s: None = None

    def frames(self) -> Iterator[Frame]:
        """Every frame with its own times, once; raises as `animations.stills` does."""
        scalers: dict[int, VideoReformatter] = {}
        for still in stills(self.file, self.kind, self.settings):
            raw = VideoFrame.from_ndarray(still.picture, format="rgb24")
            yield Frame(still.time_s, still.end_s, raw, 1.0, scalers)


def _opened(file: BinaryIO, kind: Kind, settings: FrameSettings) -> InputContainer:
    """Let libav open the file, with only the demuxer that its first bytes call for: a playlist
    or script format could make it fetch other files."""
    options = {"format_whitelist": kind.decoder, "max_pixels": str(settings.max_pixels)}
    try:
        return av.open(file, "r", options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        cut = missing_end(file, kind)
        if cut is not None:
            raise MediaError("truncated", f"{kind.decoder}: {cut}") from error
        reason = f"{kind.decoder} cannot be opened: {(error.strerror or str(error)).lower()}"
        raise MediaError("corrupt_video", reason) from error


@contextmanager
def open_video(place: Place, settings: FrameSettings) -> Iterator[Video | Animation]:
    """The video in a file, opened for one decode from its beginning; an animation where `animations` says so.

    Raises MediaError as `open_medium` and `identify` do, no_video_stream for sound (with or
    without a cover picture), truncated, corrupt_video, unsupported_format for an unknown codec,
    too_many_pixels or too_long by what the container declares.
    """
    with open_medium(place) as file:
        kind = identify(file)
        if kind.media == "image" and plays(file, kind, settings):
            yield Animation(file, kind, settings)
            return
        if kind.media != "video":
            raise MediaError("unsupported_format", f"{kind.decoder} is no video")
        with _opened(file, kind, settings) as container:
            streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not streams:
                raise MediaError("no_video_stream", f"{len(container.streams)} streams, none of them a video")
            stream = streams[0]
            if stream.codec_context is None:
                raise MediaError("unsupported_format", f"no decoder for the video in this {kind.decoder} file")
            check_pixels(stream.codec_context.width, stream.codec_context.height, settings.max_pixels)
            stream.codec_context.thread_count = 1  # a worker has one core; more would only contend
            stream.codec_context.options = {"max_pixels": str(settings.max_pixels)}
            video = Video(container, stream, settings)
            if video.duration_s is not None and video.duration_s > settings.max_duration_s:
                raise MediaError("too_long", f"{video.duration_s:.1f} s, limit {settings.max_duration_s:g} s")
            yield video
