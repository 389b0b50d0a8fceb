"""What a medium says of itself: EXIF, IPTC and XMP of pictures, tags of video containers.

XMP before IPTC before EXIF: only the first says in which encoding it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from PIL import Image, ImageFile, IptcImagePlugin

from pipeline.media.told import Told, clean, joined
from pipeline.media.xmp import XmpError, read_xmp

_DESCRIPTION, _ARTIST, _COPYRIGHT, _XMP = 0x010E, 0x013B, 0x8298, 700  # tags of TIFF 6.0 and XMP part 3
_IPTC_CHARSET, _BYLINE, _RIGHTS, _CAPTION = (1, 90), (2, 80), (2, 116), (2, 120)  # IPTC-IIM 4.2
_UTF8 = b"\x1b%G"
_PNG_XMP = "XML:com.adobe.xmp"
MAX_BYTES = 1 << 20  # of one block of metadata
# What cameras and programs write where a person would describe the picture: whole texts, and beginnings.
_BOILERPLATE = frozenset({"image", "photo", "default", "samsung", "untitled", "screenshot", "dcim"})
_BOILERPLATE_BEGINS = (
    "olympus digital camera", "minolta digital camera", "kodak digital still", "digital camera", "sony dsc",
    "exif_jpeg", "lead technologies", "created with", "created by", "processed with", "encoded by",
)  # fmt: skip


def of_picture(image: Image.Image) -> Told:
    """What an opened picture says of itself; nothing where a part of it is damaged. May raise what Pillow raises."""
    return _merged((_xmp(image), _iptc(image), _exif(image), _png(image.info)))


def of_container(tags: Mapping[str, str]) -> Told:
    """What the tags of a video container say, whose names each format spells in its own case."""
    said = {key.lower(): clean(value) for key, value in tags.items()}
    caption = next((c for key in ("description", "title", "comment") if (c := described(said.get(key)))), None)
    licences = _licences([said.get(key) for key in ("license", "licence", "copyright", "comment")])
    author = next((a for key in ("artist", "author", "composer") if (a := said.get(key))), None)
    return Told(caption, licences, author, said.get("purl") or said.get("url"))


def _merged(parts: Iterable[Told]) -> Told:
    listed = list(parts)
    return Told(
        next((t.caption for t in listed if t.caption), None),
        tuple(dict.fromkeys(licence for t in listed for licence in t.licences)),
        next((t.author for t in listed if t.author), None),
        next((t.origin for t in listed if t.origin), None),
    )


def _xmp(image: Image.Image) -> Told:
    packet: Any = image.info.get("xmp") or image.info.get(_PNG_XMP)
    if packet is None and image.format == "TIFF":
        packet = image.getexif().get(_XMP)
    raw = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
    if not isinstance(raw, bytes) or len(raw) > MAX_BYTES:
        return Told()
    try:
        return read_xmp(raw)
    except XmpError:
        return Told()


def _iptc(image: Image.Image) -> Told:
    try:
        found = (IptcImagePlugin.getiptcinfo(image) or {}) if isinstance(image, ImageFile.ImageFile) else {}
    except (OSError, SyntaxError, ValueError, LookupError, TypeError):  # what Pillow raises on damaged blocks
        return Told()
    utf8 = found.get(_IPTC_CHARSET) == _UTF8
    caption, rights, author = (
        [_decoded(v, utf8) for v in _each(found.get(key))] for key in (_CAPTION, _RIGHTS, _BYLINE)
    )
    return Told(described(joined(caption)), _licences(rights), joined(author))


def _each(value: Any) -> list[bytes]:
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, bytes)]


def _decoded(value: bytes, utf8: bool) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace") if utf8 else value.decode("latin-1")


def _exif(image: Image.Image) -> Told:
    if image.format == "PNG" and "exif" not in image.info:  # Pillow would decode all pixels to look behind them
        return Told()
    try:
        tags = image.getexif()
        values = [_ascii(tags.get(tag)) for tag in (_DESCRIPTION, _COPYRIGHT, _ARTIST)]
    except (OSError, SyntaxError, ValueError, LookupError, TypeError):
        return Told()
    return Told(described(values[0]), _licences([values[1]]), values[2])


def _ascii(value: object) -> str | None:
    """An ASCII value of EXIF; most programs write UTF-8 there, which Pillow reads as Latin-1."""
    if isinstance(value, str):
        with suppress(UnicodeError):
            value = value.encode("latin-1").decode("utf-8")
    return clean(value)


def _png(info: Mapping[Any, Any]) -> Told:
    """The text chunks of a PNG that have registered keywords."""
    said = {k: clean(str(info[k])) for k in ("Description", "Title", "Copyright", "Author", "Source") if k in info}
    caption = described(said.get("Description")) or described(said.get("Title"))
    return Told(caption, _licences([said.get("Copyright")]), said.get("Author"))


def _licences(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(v for value in values if (v := clean(value)))


def described(text: str | None) -> str | None:
    """A description, unless it is what a camera or program writes by itself."""
    plain = " ".join((text or "").casefold().split())
    return None if plain in _BOILERPLATE or plain.startswith(_BOILERPLATE_BEGINS) else text
