"""What can be measured on the pixels of an asset: colours, light, movement, text.

Only measurements stand here, no judgement: what may be claimed from them is decided in `synth`.
Faces are not counted: OpenCV 5 ships no face detector, and no other is at hand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media.colours import COLOURS, colour_shares, grey_chroma
from pipeline.media.jpeg import decode_jpeg
from pipeline.media.luma import Luma, coarse, motion, small_luma
from pipeline.models.protocols import Picture, Pixels, TextLine, TextReader

_DECIMALS = 4
_SIDE_PX = 160
_GREY_CHROMA = 24.0  # 0..255; the most coloured 2 % of a black and white photo stay below it
_GREY_PERCENTILE = 98
_READ_FRAMES = 3

# What a person would call change: `change` from here on is much, `motion` up to here hardly any.
MUCH_CHANGE = 12.0
NO_MOTION = 1.0


@dataclass(frozen=True)
class Facts:
    """Measurements of one asset; of a video over its sampled frames. Luma is 0..255."""

    colours: tuple[tuple[str, float], ...]  # all of COLOURS with their share 0..1, largest first
    luma: float
    luma_halves: tuple[float, float, float, float]  # left, right, top, bottom
    luma_first: float  # mean of the first third of the frames; of an image its luma
    luma_last: float  # mean of the last third
    grey_chroma: float  # mean Lab chroma of the grey pixels: how much of a tint what is called grey has
    grey: bool  # too little chroma to speak of colours
    text: tuple[TextLine, ...]  # distinct lines, largest first
    motion: float | None  # mean absolute change of luma between frames; None for a single frame
    change: float | None  # the same on COARSE areas: a camera that drifts over fine texture changes little
    frames: int

    def to_json(self) -> str:
        """One line of JSON, keys sorted, floats rounded to 4 decimals: equal facts, equal text."""
        return json.dumps(_rounded(asdict(self)), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Facts:
        """The facts of `to_json`'s text. Raises ValueError, KeyError or TypeError on any other."""
        values = json.loads(text)
        values["colours"] = tuple((name, share) for name, share in values["colours"])
        values["luma_halves"] = tuple(values["luma_halves"])
        values["text"] = tuple(TextLine(**line) for line in values["text"])
        return cls(**values)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS)
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(v) for v in value]
    return value


def measure(pixels: Pixels, reader: TextReader | None) -> Facts:
    """Measure an asset's frames. Without a `reader` no text is looked for."""
    pictures = [decode_jpeg(frame) for frame in pixels.frames]
    small = [_small(p) for p in pictures]
    lumas = [small_luma(p) for p in pictures]
    shares = np.mean([colour_shares(p) for p in small], axis=0)
    order = sorted(range(len(COLOURS)), key=lambda i: (-round(float(shares[i]), _DECIMALS), i))
    chroma = np.concatenate([_chroma(p) for p in small])
    means = [float(luma.mean()) for luma in lumas]
    third = max(1, len(means) // 3)
    facts = Facts(
        colours=tuple((COLOURS[i], float(shares[i])) for i in order),
        luma=float(np.mean(means)),
        luma_halves=_halves(lumas),
        luma_first=float(np.mean(means[:third])),
        luma_last=float(np.mean(means[-third:])),
        grey_chroma=grey_chroma(small),
        grey=bool(np.percentile(chroma, _GREY_PERCENTILE) < _GREY_CHROMA),
        text=_lines(pictures, reader) if reader is not None else (),
        motion=motion(lumas),
        change=motion([coarse(luma) for luma in lumas]),
        frames=len(pictures),
    )
    return Facts.from_json(facts.to_json())  # rounded here, so that facts equal what is read back


def _small(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    scale = min(1.0, _SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _chroma(picture: Picture) -> NDArray[np.float64]:
    """Largest minus least channel of each pixel, 0..255, flat."""
    return np.ravel(picture.max(axis=2).astype(np.float64) - picture.min(axis=2))


def _halves(lumas: Sequence[Luma]) -> tuple[float, float, float, float]:
    """Mean luma of the left, right, top and bottom half; a middle row or column is in neither."""

    def mean(parts: list[Luma]) -> float:
        return float(np.mean([part.mean() for part in parts]))

    rows, columns = lumas[0].shape[0], lumas[0].shape[1]
    x, y = max(1, columns // 2), max(1, rows // 2)
    return (
        mean([luma[:, :x] for luma in lumas]),
        mean([luma[:, -x:] for luma in lumas]),
        mean([luma[:y] for luma in lumas]),
        mean([luma[-y:] for luma in lumas]),
    )


def _lines(pictures: Sequence[Picture], reader: TextReader) -> tuple[TextLine, ...]:
    """Distinct lines of at most three frames (middle of the first third, middle, middle of the
    last third), compared without case and spaces; of equal lines the one read most surely."""
    count = len(pictures)
    picked = sorted({count * (2 * i + 1) // (2 * _READ_FRAMES) for i in range(_READ_FRAMES)})
    best: dict[str, TextLine] = {}
    for index in picked:
        for line in reader.read(pictures[index]):
            key = "".join(line.text.casefold().split())
            if key not in best or line.confidence > best[key].confidence:
                best[key] = line
    return tuple(sorted(best.values(), key=lambda line: (-line.share, line.text)))
