"""A whole video's segments at once, for tests that look at all of them."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config import FrameSettings, SceneSettings
from pipeline.media.places import Place
from pipeline.media.scenes import Segment, iterate_segments


@dataclass(frozen=True)
class Scan:
    """Segments in order, without overlap or gap, from 0 to duration_s."""

    segments: tuple[Segment, ...]
    duration_s: float


def scan(place: Place, frame_settings: FrameSettings, scene_settings: SceneSettings) -> Scan:
    segments = tuple(iterate_segments(place, frame_settings, scene_settings))
    return Scan(segments, segments[-1].end_s)
