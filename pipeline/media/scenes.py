"""Splits a video into segments at its scene cuts and judges each, in one decode of the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.config import FrameSettings, SceneSettings
from pipeline.errors import MediaError
from pipeline.media.bars import measured_bars, without
from pipeline.media.cuts import Seen, find_cuts
from pipeline.media.jpeg import decode_jpeg
from pipeline.media.luma import bright_luma, contrast, motion, small, small_luma
from pipeline.media.places import Place
from pipeline.media.sampling import Sampler
from pipeline.media.stillness import Stillness
from pipeline.media.videos import open_video
from pipeline.models.protocols import Pixels

Reject = tuple[str, str]  # reason, detail


@dataclass(frozen=True)
class Measured:
    """What a segment is judged by. Luma and contrast 0..255."""

    duration_s: float
    luma_p99: float  # 99th percentile of luma over the sampled frames
    contrast: float  # largest standard deviation of a colour channel in any sampled frame
    motion: float  # mean absolute change of luma between sampled frames
    bar_share: float  # of the picture that black bars cover, 0..1
    still_from_s: float  # the longest stretch in which nothing changes, from the first frame of the file
    still_s: float


@dataclass(frozen=True)
class Segment:
    """One scene, or a part of a long one: seconds from the first frame of the file, end exclusive."""

    start_s: float
    end_s: float
    pixels: Pixels
    measured: Measured
    reject: Reject | None


def iterate_segments(place: Place, frame_settings: FrameSettings, scene_settings: SceneSettings) -> Iterator[Segment]:
    """Yield the segments of a video, at least one, as the decoder passes them.

    A segment longer than max_scene_s is divided evenly (a very long one into parts of max_scene_s, of
    which the last two are even); one shorter than min_scene_s is rejected or goes on into the next.
    When decoding fails midway what was open takes the reason (corrupt_video, too_long, ...) and
    reaches to the declared end; segments before it are as good as any. Raises MediaError where not one
    frame can be read, and decode_timeout: how far a file came before it does not say the same on every
    machine.
    """
    with open_video(place, frame_settings) as video:
        scene: _Scene | None = None
        try:
            for seen in find_cuts(video.frames(), scene_settings, frame_settings.max_side_px):
                if scene is not None and seen.begins and scene.may_end(seen.frame.time_s):
                    yield from scene.ended(seen.frame.time_s)
                    scene = None
                scene = scene or _Scene(seen.frame.time_s, frame_settings, scene_settings)
                yield from scene.goes_on(seen)
        except MediaError as error:
            if scene is None or error.reason == "decode_timeout":
                raise
            yield scene.broken(max(scene.end_s, video.duration_s or 0.0), (error.reason, error.detail))
        else:
            if scene is not None:
                yield from scene.ended(scene.end_s)


class _Scene:
    """The segment that is open: its frames so far, thinned out."""

    def __init__(self, start_s: float, frame_settings: FrameSettings, settings: SceneSettings) -> None:
        self._frame_settings, self._settings = frame_settings, settings
        self._sampler = Sampler(start_s, frame_settings, settings.max_scene_s)
        self._stillness = Stillness()
        self.end_s = start_s

    def may_end(self, at_s: float) -> bool:
        return self._settings.short_scenes == "reject" or at_s - self._sampler.start_s >= self._settings.min_scene_s

    def goes_on(self, seen: Seen) -> Iterator[Segment]:
        """Take a frame; give the parts that are sure by then."""
        frame = seen.frame
        while frame.time_s - self._sampler.start_s >= 2 * self._settings.max_scene_s:
            part = self._part(frame.time_s)
            if part is None:
                break
            yield part
        self._sampler.add(frame)
        self._stillness.add(frame.time_s, seen.picture)
        self.end_s = frame.end_s

    def ended(self, end_s: float) -> Iterator[Segment]:
        part = self._part(end_s)
        if part is not None:
            yield part
        start_s = self._sampler.start_s
        yield self._judged(start_s, end_s, self._sampler.pixels(end_s), None)

    def broken(self, end_s: float, failure: Reject) -> Segment:
        return self._judged(self._sampler.start_s, end_s, self._sampler.pixels(end_s), failure)

    def _part(self, end_s: float) -> Segment | None:
        start_s, at_s = self._sampler.start_s, self._sampler.division_s(end_s)
        if at_s is None:
            return None
        part = self._judged(start_s, at_s, self._sampler.divided(at_s), None)
        self._stillness.forget_before(at_s)
        return part

    def _judged(self, start_s: float, end_s: float, pixels: Pixels, failure: Reject | None) -> Segment:
        pictures = [decode_jpeg(frame) for frame in pixels.frames]
        smalls = [small(picture) for picture in pictures]
        lumas = [small_luma(picture) for picture in smalls]
        bars = measured_bars(lumas)
        still_from_s, still_s = self._stillness.longest(start_s, end_s)
        measured = Measured(
            duration_s=end_s - start_s,
            luma_p99=bright_luma(lumas),
            contrast=max(contrast(picture) for picture in smalls),
            motion=motion(lumas) or 0.0,
            bar_share=bars.share,
            still_from_s=still_from_s,
            still_s=still_s,
        )
        pixels = without(bars, pixels, pictures) if self._frame_settings.crop_bars else pixels
        return Segment(start_s, end_s, pixels, measured, failure or verdict(measured, self._settings))


def verdict(measured: Measured, settings: SceneSettings) -> Reject | None:
    """Why a segment is no use, (reason, detail); None when it is."""
    m = measured
    if m.duration_s < settings.min_scene_s:
        return "too_short", f"{m.duration_s:.2f} s, limit {settings.min_scene_s:g} s"
    if m.luma_p99 < settings.min_luma:
        return "black", f"99th percentile of luma {m.luma_p99:.1f}, limit {settings.min_luma:g}"
    if m.contrast < settings.min_contrast:
        return "single_colour", f"standard deviation of colour {m.contrast:.2f}, limit {settings.min_contrast:g}"
    if m.motion < settings.min_motion:
        return "static", f"mean change of luma {m.motion:.3f}, limit {settings.min_motion:g}"
    if m.still_s > settings.max_frozen_share * m.duration_s:
        share, limit = m.still_s / m.duration_s, settings.max_frozen_share
        when = f"{m.still_s:.2f} s from {m.still_from_s:.2f} s"
        return "frozen", f"nothing changes for {when}, {share:.3f} of it, limit {limit:g}"
    if m.bar_share > settings.max_bar_share:
        return "letterboxed", f"black bars cover {m.bar_share:.3f} of the picture, limit {settings.max_bar_share:g}"
    return None
