"""What media say of themselves, written by the tools that write them."""

import io
import struct
from pathlib import Path

import av
import pytest
from PIL import Image, PngImagePlugin

from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.embedded import described
from pipeline.media.probe import probe
from pipeline.media.told import MAX_CHARS, Told, clean
from tests.media.stills import encoded, picture, video
from tests.media.test_xmp import packet

XMP = packet("<dc:description>From XMP</dc:description><dc:creator>Ximena</dc:creator>")
SETTINGS = FrameSettings()


def exif(description: str = "A harbour", artist: str = "Jürgen", rights: str = "CC BY 4.0") -> Image.Exif:
    found = Image.Exif()
    found[0x010E], found[0x013B], found[0x8298] = description, artist.encode(), rights
    return found


def iptc(*records: tuple[int, int, bytes]) -> bytes:
    """An APP13 segment with IPTC-IIM records, as Photoshop writes it."""
    body = b"".join(b"\x1c" + bytes((r, d)) + struct.pack(">H", len(v)) + v for r, d, v in records)
    block = b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(body)) + body + b"\x00" * (len(body) % 2)
    return b"\xff\xed" + struct.pack(">H", len(block) + 16) + b"Photoshop 3.0\x00" + block


def read(path: Path, data: bytes) -> Told:
    path.write_bytes(data)
    return probe(path, SETTINGS).told


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_of_every_format(tmp_path: Path, kind: str) -> None:
    data = encoded(picture(), kind, exif=exif())
    assert read(tmp_path / "p", data) == Told("A harbour", ("CC BY 4.0",), "Jürgen")


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_xmp_counts_before_exif_and_both_licences_are_candidates(tmp_path: Path, kind: str) -> None:
    data = encoded(picture(), kind, exif=exif(), xmp=XMP)
    assert read(tmp_path / "p", data) == Told("From XMP", ("CC BY 4.0",), "Ximena")


def test_png_keeps_xmp_and_credits_in_text_chunks(tmp_path: Path) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", XMP.decode())
    chunks.add_text("Author", "Pia")
    chunks.add_text("Copyright", "CC0")
    assert read(tmp_path / "p.png", encoded(picture(), "PNG", pnginfo=chunks)) == Told("From XMP", ("CC0",), "Ximena")


def test_iptc_counts_before_exif(tmp_path: Path) -> None:
    block = iptc((2, 80, b"Ann"), (2, 80, "Bengt Å".encode("latin-1")), (2, 116, b"(c) Ann"), (2, 120, b"A boat"))
    data = encoded(picture(), "JPEG", exif=exif())
    told = read(tmp_path / "p.jpg", data[:2] + block + data[2:])
    assert told == Told("A boat", ("(c) Ann", "CC BY 4.0"), "Ann, Bengt Å")


@pytest.mark.parametrize("text", ["OLYMPUS DIGITAL CAMERA         ", "SONY DSC", "Created with GIMP", "", "untitled"])
def test_what_cameras_and_programs_write_is_no_caption(tmp_path: Path, text: str) -> None:
    assert read(tmp_path / "p.jpg", encoded(picture(), "JPEG", exif=exif(text))).caption is None
    assert described("Default settings of a camera") is not None


def test_damaged_metadata_says_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    evil = b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>"
    assert read(tmp_path / "a.jpg", encoded(picture(), "JPEG", xmp=evil)) == Told()
    data = encoded(picture(), "JPEG", exif=exif())
    at = data.index(b"Exif") + 6
    for cut in range(8, 60, 3):
        read(tmp_path / "b.jpg", data[: at + cut] + b"\xff" * 6 + data[at + cut + 6 :])
    block = iptc((2, 80, b"Ann"))
    read(tmp_path / "c.jpg", data[:2] + block[:-4] + b"\xff\xff\xff\xff" + data[2:])


def test_tags_of_a_video_container(tmp_path: Path) -> None:
    plain = video(tmp_path / "v.mp4", [1])
    buffer = io.BytesIO()
    with av.open(str(plain)) as source, av.open(buffer, "w", format="mp4") as target:
        tags = {"artist": "Blender Foundation", "title": "A rabbit", "comment": "Creative Commons Attribution 3.0"}
        target.metadata.update(tags)
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet_ in source.demux(source.streams.video[0]):
            if packet_.dts is not None:
                packet_.stream = stream
                target.mux(packet_)
    told = read(tmp_path / "w.mp4", buffer.getvalue())
    assert told == Told("A rabbit", ("Creative Commons Attribution 3.0",), "Blender Foundation")


def test_a_file_that_is_no_medium_says_so(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="not_media"):
        read(tmp_path / "p.jpg", b"hello")


def test_values_are_clean() -> None:
    assert clean("Ann\0Editor \ud800") == "Ann Editor ?"
    assert clean(4) == "4"
    assert (clean(True), clean(None), clean(" "), clean("x" * (MAX_CHARS + 1))) == (None, None, None, None)
