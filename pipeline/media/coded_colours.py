"""Colours that a file names by code points (ITU-T H.273) or a gamma instead of a profile: wide gamut, HDR.

AVIF has them in a `colr` box, PNG in a `cICP` or `gAMA` chunk. Decoders hand such pixels on as they are
stored; shown as sRGB they would look pale (Display P3), grey (PQ, HLG) or dark (linear light).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.media.kinds import Kind
from pipeline.models.protocols import Picture

_HEAD_BYTES = 1 << 16
_SRGB_LIKE = frozenset({1, 2, 6, 13, 14, 15})  # BT.709 and its kin are shown as sRGB, as browsers do
_LINEAR, _PQ, _HLG = 8, 16, 18
# x, y of red, green and blue; white is D65.
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)
_PAPER_NITS = 203.0  # diffuse white of HDR pictures: BT.2408, table 1
_PEAK_NITS = 1000.0  # of the display they are made for, where the file does not say
_USUAL_GAMMA, _SAME_GAMMA = 1 / 2.2, 0.05  # a file gamma this near to the usual one is sRGB; libpng's threshold

Light = NDArray[np.float32]


@dataclass(frozen=True)
class Coding:
    """Code points of H.273: primaries (table 2) and transfer characteristics (table 3); or a PNG's file gamma."""

    primaries: int = 1
    transfer: int = 13
    gamma: float | None = None


def colour_coding(file: BinaryIO, kind: Kind) -> Coding | None:
    """What an opened picture file says of its colours; None where that is sRGB, or nothing. The file is rewound.

    Code points that are not handled here (primaries of old television, say) count as sRGB's.
    """
    if kind.decoder not in {"AVIF", "PNG"}:
        return None
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    coding = _of_avif(head) if kind.decoder == "AVIF" else _of_png(head)
    if coding is None or (coding.gamma is None and coding.primaries == 1 and coding.transfer in _SRGB_LIKE):
        return None
    return coding


def _of_avif(head: bytes) -> Coding | None:
    found = re.search(rb"colrnclx(..)(..)", head, re.DOTALL)
    return None if found is None else _known(int.from_bytes(found[1], "big"), int.from_bytes(found[2], "big"))


def _of_png(head: bytes) -> Coding | None:
    """By the first of cICP, iCCP (a profile: nothing here), sRGB, gAMA, as the PNG specification ranks them."""
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at + 8 <= len(head) and (name := head[at + 4 : at + 8]) != b"IDAT":
        length = int.from_bytes(head[at : at + 4], "big")
        chunks.setdefault(name, head[at + 8 : at + 8 + min(length, 4)])
        at += 12 + length
    if len(cicp := chunks.get(b"cICP", b"")) == 4:
        return _known(cicp[0], cicp[1])
    if b"iCCP" in chunks or b"sRGB" in chunks or len(chunks.get(b"gAMA", b"")) < 4:
        return None
    gamma = int.from_bytes(chunks[b"gAMA"], "big") / 100_000
    usual = not 0.1 <= gamma <= 10 or abs(gamma / _USUAL_GAMMA - 1) < _SAME_GAMMA
    return None if usual else Coding(gamma=gamma)


def _known(primaries: int, transfer: int) -> Coding:
    return Coding(
        primaries if primaries in _PRIMARIES else 1,
        transfer if transfer in {*_SRGB_LIKE, _LINEAR, _PQ, _HLG} else 13,
    )


def decoded(picture: Picture, coding: Coding) -> Picture:
    """uint8 [H, W, 3] sRGB of a picture stored in `coding`, as a display without HDR shows it.

    Brighter light than diffuse white is compressed by Reinhard's curve (Reinhard et al. 2002, equation 4) on
    the largest channel, with the peak of the display as its white; colours outside sRGB are clipped.
    """
    light = np.asarray(_light_of(coding)[picture], np.float32)
    if coding.transfer == _HLG:
        light = _on_display(light)
    linear = light @ _to_bt709(coding.primaries).T
    if coding.transfer in {_PQ, _HLG}:
        linear = _tone_mapped(linear)
    return np.asarray(np.rint(_srgb_encoded(np.clip(linear, 0, 1)) * 255), np.uint8)


@cache
def _light_of(coding: Coding) -> Light:
    """Linear light of the 256 stored values, 1 is diffuse white; of HLG light of the scene, 0..1."""
    stored = np.arange(256) / 255
    if coding.gamma is not None:
        light = stored ** (1 / coding.gamma)
    elif coding.transfer == _LINEAR:
        light = stored
    elif coding.transfer == _PQ:  # SMPTE ST 2084, equation 4.1
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = stored ** (1 / m2)
        light = 10_000 / _PAPER_NITS * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    elif coding.transfer == _HLG:  # BT.2100, table 5, inverse OETF
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(stored <= 0.5, stored**2 / 3, (np.exp((stored - c) / a) + b) / 12)
    else:
        light = np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)
    return np.asarray(light, np.float32)


def _on_display(scene: Light) -> Light:
    """BT.2100, table 5, OOTF: system gamma 1.2 on a display of 1000 nits; 1 is diffuse white."""
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593], np.float32)
    return np.asarray(scene * luminance[..., None] ** np.float32(0.2) * (_PEAK_NITS / _PAPER_NITS), np.float32)


def _tone_mapped(linear: Light) -> Light:
    peak = _PEAK_NITS / _PAPER_NITS
    largest = np.clip(linear.max(axis=-1, keepdims=True), 0, peak)
    return np.asarray(linear * ((1 + largest / peak**2) / (1 + largest)), np.float32)


def _srgb_encoded(linear: Light) -> Light:
    """IEC 61966-2-1."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** np.float32(1 / 2.4) - np.float32(0.055))


@cache
def _to_bt709(primaries: int) -> Light:
    return np.asarray(np.linalg.inv(_to_xyz(1)) @ _to_xyz(primaries), np.float32)


def _to_xyz(primaries: int) -> NDArray[np.float64]:
    """The matrix whose columns are the primaries in XYZ, scaled so that they add up to white (SMPTE RP 177)."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in _PRIMARIES[primaries]]).T
    x, y = _D65
    return np.asarray(columns * np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y])))
