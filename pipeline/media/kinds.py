"""What a file is, from its first bytes. Names and extensions are never looked at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO, Literal

from pipeline.errors import MediaError

HEAD_BYTES = 4096
_BMP_HEADER_BYTES = {12, 16, 40, 52, 56, 64, 108, 124}
_TS_PACKET = 188


@dataclass(frozen=True)
class Kind:
    """`decoder` is the only Pillow plugin or libav demuxer that is let near the bytes."""

    media: Literal["image", "video", "audio", "document", "text", "unknown"]
    decoder: str


_PREFIXES: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", Kind("image", "JPEG")),
    (b"\x89PNG\r\n\x1a\n", Kind("image", "PNG")),
    (b"GIF87a", Kind("image", "GIF")),
    (b"GIF89a", Kind("image", "GIF")),
    (b"II*\x00", Kind("image", "TIFF")),
    (b"MM\x00*", Kind("image", "TIFF")),
    (b"II+\x00", Kind("image", "TIFF")),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", Kind("image", "JPEG2000")),
    (b"\xff\x4f\xff\x51", Kind("image", "JPEG2000")),
    (b"\x1aE\xdf\xa3", Kind("video", "matroska")),
    (b"\x00\x00\x01\xba", Kind("video", "mpeg")),
    (b"\x00\x00\x01\xb3", Kind("video", "mpegvideo")),
    (b"FLV\x01", Kind("video", "flv")),
    (b"0&\xb2u\x8ef\xcf\x11", Kind("video", "asf")),
    (b"OggS", Kind("video", "ogg")),
    (b"DKIF", Kind("video", "ivf")),
    (b"\x06\x0e+4\x02\x05\x01\x01", Kind("video", "mxf")),
    (b"ID3", Kind("audio", "mp3")),
    (b"fLaC", Kind("audio", "flac")),
    (b"%PDF-", Kind("document", "PDF")),
    (b"%!PS", Kind("document", "PostScript")),
    (b"8BPS", Kind("document", "Photoshop")),
    (b"\xff\x0a", Kind("document", "JPEG XL")),
    (b"\x00\x00\x00\x0cJXL ", Kind("document", "JPEG XL")),
)
_RIFF = {b"WEBP": Kind("image", "WEBP"), b"AVI ": Kind("video", "avi"), b"WAVE": Kind("audio", "wav")}
_MP4_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}


def _mp4(head: bytes) -> Kind:
    """An ISO base media file: a film, or a picture that borrows the box format."""
    brands = head[8 : max(16, min(int.from_bytes(head[:4], "big"), 128))] if head[4:8] == b"ftyp" else b""
    if b"avif" in brands or b"avis" in brands:
        return Kind("image", "AVIF")
    if any(brand in brands for brand in (b"heic", b"heix", b"mif1", b"msf1")):
        return Kind("document", "HEIC")
    return Kind("video", "mov")


def _is_text(head: bytes) -> bool:
    """UTF-8 or another 8-bit text: no control characters but white space and escape."""
    return not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", head)


def kind_of(head: bytes) -> Kind:
    """Name what a file is that begins with `head` (its first HEAD_BYTES, or all of a shorter file)."""
    for prefix, kind in _PREFIXES:
        if head.startswith(prefix):
            return kind
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[4:8] in _MP4_BOXES:
        return _mp4(head)
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_BYTES:
        return Kind("image", "BMP")
    if re.match(rb"P[4-6]\s[\s\d#]", head):
        return Kind("image", "PPM")
    # a transport stream repeats its sync byte every packet; on discs 4 bytes stand before each
    for first, step in ((0, _TS_PACKET), (4, _TS_PACKET + 4)):
        if len(head) > first + 2 * step and all(head[first + i * step] == 0x47 for i in range(3)):
            return Kind("video", "mpegts")
    if _is_text(head):
        return Kind("document", "SVG") if re.search(rb"<svg[\s>]", head) else Kind("text", "text")
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE6 == 0xE2:
        return Kind("audio", "mp3")
    return Kind("unknown", "unknown")


def identify(file: BinaryIO) -> Kind:
    """The kind of an opened picture or video; the file is rewound.

    Raises MediaError not_media, unsupported_format or no_video_stream for anything else.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    kind = kind_of(head)
    if kind.media in {"image", "video"}:
        return kind
    if kind.media == "audio":
        raise MediaError("no_video_stream", f"sound only ({kind.decoder})")
    if kind.media == "text":
        raise MediaError("not_media", f"text that begins {head[:24].decode('utf-8', 'replace')!r}")
    what = kind.decoder if kind.media == "document" else f"bytes that begin {head[:8].hex(' ')}"
    raise MediaError("unsupported_format", f"found {what}; pictures and videos are read")
