"""Splits a video at its scene cuts and judges each segment, in one decode of the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import FrameSettings, SceneSettings
from pipeline.errors import MediaError
from pipeline.media.cuts import find_cuts
from pipeline.media.jpeg import decode_jpeg
from pipeline.media.luma import bright_luma, motion, small_luma
from pipeline.media.sampling import Sampler
from pipeline.media.videos import Frame, open_video
from pipeline.models.protocols import Pixels

Reject = tuple[str, str]  # reason, detail


@dataclass(frozen=True)
class Segment:
    """One scene: seconds from the first frame of the file, start inclusive, end exclusive."""

    start_s: float
    end_s: float
    pixels: Pixels
    motion: float  # mean absolute change of luma between sampled frames, 0..255
    luma_p99: float  # 99th percentile of luma over the sampled frames, 0..255
    reject: Reject | None


@dataclass(frozen=True)
class Scan:
    """A whole video: segments in order, without overlap or gap, from 0 to duration_s."""

    segments: tuple[Segment, ...]
    duration_s: float


def scan(path: Path, frame_settings: FrameSettings, scene_settings: SceneSettings) -> Scan:
    """Split a video; see `iterate_segments`, which does not hold all segments in memory."""
    segments = tuple(iterate_segments(path, frame_settings, scene_settings))
    return Scan(segments, segments[-1].end_s)


def iterate_segments(path: Path, frame_settings: FrameSettings, scene_settings: SceneSettings) -> Iterator[Segment]:
    """Yield the segments of a video, at least one, as the decoder passes them.

    A segment is rejected as too_short, black or static. When decoding fails midway the segment
    that was open takes the reason (corrupt_video, decode_timeout, ...) and reaches to the
    declared end; those before it are as good as any. Raises MediaError where not one frame can
    be read.
    """
    with open_video(path, frame_settings) as video:
        sampler: Sampler | None = None
        last: Frame | None = None
        try:
            for seen in find_cuts(video.frames(), scene_settings):
                frame = seen.frame
                if sampler is not None and seen.begins:
                    yield _segment(sampler, frame.time_s, scene_settings)
                    sampler = None
                sampler = sampler or Sampler(frame.time_s, frame_settings)
                sampler.add(frame)
                last = frame
        except MediaError as error:
            if sampler is None or last is None:
                raise
            end_s = max(last.end_s, video.duration_s or 0.0)
            yield _segment(sampler, end_s, scene_settings, (error.reason, error.detail))
        else:
            if sampler is not None and last is not None:
                yield _segment(sampler, last.end_s, scene_settings)


def _segment(sampler: Sampler, end_s: float, settings: SceneSettings, failure: Reject | None = None) -> Segment:
    pixels = sampler.pixels(end_s)
    lumas = [small_luma(decode_jpeg(frame)) for frame in pixels.frames]
    moved, bright = motion(lumas) or 0.0, bright_luma(lumas)
    reject = failure or verdict(end_s - sampler.start_s, bright, moved, settings)
    return Segment(sampler.start_s, end_s, pixels, moved, bright, reject)


def verdict(duration_s: float, luma_p99: float, moved: float, settings: SceneSettings) -> Reject | None:
    """Why a segment is no use, (reason, detail); None when it is."""
    if duration_s < settings.min_scene_s:
        return "too_short", f"{duration_s:.2f} s, limit {settings.min_scene_s:g} s"
    if luma_p99 < settings.min_luma:
        return "black", f"99th percentile of luma {luma_p99:.1f}, limit {settings.min_luma:g}"
    if moved < settings.min_motion:
        return "static", f"mean change of luma {moved:.3f}, limit {settings.min_motion:g}"
    return None
