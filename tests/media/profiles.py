"""ICC profiles made from their numbers: matrix and gamma, grey gamma, and a CMYK table of four inks.

Written after ICC.1:2001-04 with nothing but `struct`, so that what reads them is not what made them.
"""

from __future__ import annotations

import itertools
import struct

import numpy as np

# Colorants adapted to D50 (columns of the matrix to XYZ), as published with the spaces.
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
_D50 = (0.96420, 1.0, 0.82491)
# CIE Lab of paper, the four inks and their overprints: whatever the profile says, a reader must show.
INKS = {(0, 0, 0, 0): (100, 0, 0), (1, 0, 0, 0): (60, -20, -35), (0, 1, 0, 0): (55, 50, 0), (0, 0, 1, 0): (88, -5, 60)}


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(v * 65536)) for v in values)


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(value * 256))


def _description(text: str) -> bytes:
    letters = text.encode("ascii") + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(letters)) + letters + bytes(4 + 4 + 2 + 1 + 67)


def _profile(space: bytes, kind: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": _description("made by a test"), b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(_D50), **tags}
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, kind, space, pcs)
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(*_D50)
    return header.ljust(128, b"\0") + table + body


def rgb_profile(colorants: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    red, green, blue = colorants
    tags = {b"rXYZ": _xyz(red), b"gXYZ": _xyz(green), b"bXYZ": _xyz(blue)}
    return _profile(b"RGB ", b"mntr", b"XYZ ", {**tags, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(gamma))})


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", b"mntr", b"XYZ ", {b"kTRC": _gamma(gamma)})


def cmyk_profile() -> bytes:
    """A table with the 16 corners: INKS where they are named, black where there is black, dark grey elsewhere."""
    ramp = bytes(range(256))
    corners = b""
    for inks in itertools.product((0, 1), repeat=4):  # the first ink varies least rapidly
        light, a, b = INKS.get(inks, (0, 0, 0) if inks[3] else (30, 0, 0))
        corners += bytes([round(light * 2.55), a + 128, b + 128])
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + ramp * 4 + corners + ramp * 3
    return _profile(b"CMYK", b"prtr", b"Lab ", dict.fromkeys((b"A2B0", b"A2B1"), table))


def shown(values: np.ndarray, colorants: tuple[tuple[float, float, float], ...], gamma: float) -> np.ndarray:
    """The sRGB (uint8 [..., 3]) of values in a matrix space, by the formulas of the ICC and IEC 61966-2-1."""
    return _srgb((values / 255.0) ** gamma @ np.array(colorants))


def shown_lab(lab: np.ndarray) -> np.ndarray:
    """The sRGB (uint8 [..., 3]) of CIE Lab with the white of D50, as ICC profiles and TIFF have it."""
    light, a, b = (lab[..., i].astype(float) for i in range(3))
    y = (light + 16) / 116
    steps = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    return _srgb(np.where(steps > 6 / 29, steps**3, (steps - 4 / 29) * 108 / 841) * _D50)


def _srgb(xyz: np.ndarray) -> np.ndarray:
    linear = np.clip(xyz @ np.linalg.inv(np.array(SRGB)), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)
