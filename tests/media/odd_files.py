"""Files that a media folder may hold and that must not hang, crash or vanish.

`FILES` maps a name to (maker, what must happen). A maker takes a folder, makes one file there and
returns its path. What must happen is the reject reason that `probe` or, behind a good header,
decoding gives; None where the file is odd but good.
"""

from __future__ import annotations

import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.media.films import FPS, SIZE, film, noise_scene, sound, still_scene, textured_still, turned, written
from tests.media.stills import encoded


def photo(width: int = 96, height: int = 64) -> Image.Image:
    """Coloured blocks on a gradient: compresses like a photo, has no symmetry."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    picture = np.stack([x, y, 255 - x], axis=2).astype(np.uint8)
    picture[: height // 4, : width // 4] = (250, 20, 20)
    return Image.fromarray(picture)


def jpeg() -> bytes:
    return encoded(photo(), "JPEG", quality=92)


def png() -> bytes:
    return encoded(photo(), "PNG")


def movie() -> bytes:
    """Four seconds, a cut at two; its index stands first, so that a cut-off file still opens."""
    return film(noise_scene(1, 2 * FPS) + noise_scene(2, 2 * FPS), index_first=True)


def make(name: str, data: Callable[[], bytes]) -> Callable[[Path], Path]:
    return lambda folder: written(folder / name, data())


def cut(data: Callable[[], bytes], share: float) -> Callable[[], bytes]:
    def part() -> bytes:
        whole = data()
        return whole[: int(len(whole) * share)]

    return part


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb_png(width: int = 60_000, height: int = 60_000) -> bytes:
    """A header of 3.6 gigapixels over a few bytes of zeros."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def damaged_movie() -> bytes:
    """Its second half is overwritten from 60 % to 62 %."""
    data = bytearray(movie())
    at = int(len(data) * 0.6)
    data[at : at + len(data) // 50] = np.random.default_rng(0).bytes(len(data) // 50)
    return bytes(data)


def damaged_tiff() -> bytes:
    """libtiff complains about its codes on stderr."""
    data = bytearray(encoded(photo(), "TIFF", compression="tiff_lzw"))
    data[100:200] = np.random.default_rng(0).bytes(100)
    return bytes(data)


def sixteen_bit() -> Image.Image:
    return Image.fromarray(np.linspace(0, 65_535, 64 * 96).reshape(64, 96).astype(np.uint16))


def see_through_palette() -> bytes:
    image = photo().convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    return encoded(image, "PNG", transparency=0)


def exif_turned() -> bytes:
    """96 x 64 stored, 64 x 96 shown: orientation 6."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(photo(), "JPEG", exif=exif, quality=95)


def animation(kind: str) -> Callable[[], bytes]:
    def data() -> bytes:
        frames = [photo(), photo().transpose(Image.Transpose.ROTATE_180)]
        return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)

    return data


def coded(codec: str, container: str = "mp4", size: tuple[int, int] = SIZE, **options: str) -> Callable[[], bytes]:
    return lambda: film(noise_scene(1, 12, size), container, codec, options)


def lasting(hours: float) -> Callable[[], bytes]:
    """Two equal frames, so far apart: as long as a film, as small as a picture."""
    return lambda: film(textured_still(3, 2), times=[0, round(hours * 3600 * FPS)])


def text_bomb() -> bytes:
    """A comment of 200 MB, deflated to 200 kB."""
    comment = b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9)
    whole = png()
    return whole[:33] + png_chunk(b"zTXt", comment) + whole[33:]


def profile_junk() -> bytes:
    return encoded(photo(), "PNG", icc_profile=np.random.default_rng(0).bytes(3000))


def exif_junk() -> bytes:
    return encoded(photo(), "JPEG", exif=b"Exif\0\0MM\0*" + np.random.default_rng(0).bytes(300))


def pages() -> bytes:
    return encoded(photo(), "TIFF", save_all=True, append_images=[photo(), photo()])


def gif(frames: int, canvas: tuple[int, int] = (2, 2), frame: tuple[int, int] = (2, 2)) -> bytes:
    """Frames of one colour that last no time, about 30 bytes each."""
    head = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x80, 0, 0) + bytes([0, 0, 0, 200, 60, 40])
    # Code size 2: colour 1 for each of four pixels, with clear codes so that all codes have 3 bits, then end.
    codes = [4, 1, 1, 4, 1, 1, 5]
    packed = sum(code << (3 * i) for i, code in enumerate(codes)).to_bytes(3, "little")
    control = b"\x21\xf9\x04\x00\x00\x00\x00\x00"
    picture = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02" + bytes([len(packed)]) + packed + b"\0"
    return head + (control + picture) * frames + b"\x3b"


def apng_of_a_million() -> bytes:
    """It declares a million frames and holds two."""
    data = animation("PNG")()
    at = data.index(b"acTL") + 4
    control = struct.pack(">II", 1_000_000, 0)
    return data[:at] + control + struct.pack(">I", zlib.crc32(b"acTL" + control)) + data[at + 12 :]


def sparse(folder: Path) -> Path:
    """20 GB of nothing."""
    path = written(folder / "a.mp4", b"")
    os.truncate(path, 20 * 10**9)
    return path


def fifo(folder: Path) -> Path:
    path = folder / "pipe.jpg"
    os.mkfifo(path)
    return path


def socket_file(folder: Path) -> Path:
    path = folder / "s.mp4"
    here = Path.cwd()
    os.chdir(folder)  # a socket's path is limited to about 100 bytes
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)
    return path


def link(name: str, target: str) -> Callable[[Path], Path]:
    def maker(folder: Path) -> Path:
        path = folder / name
        path.symlink_to(target)
        return path

    return maker


def folder_called_like_a_picture(folder: Path) -> Path:
    path = folder / "folder.jpg"
    path.mkdir()
    return path


def locked(folder: Path) -> Path:
    """Without permission; root may read it all the same, so only other users can test it."""
    path = written(folder / "locked.jpg", jpeg())
    path.chmod(0)
    return path


def bytes_named(folder: Path) -> Path:
    """A name that is no UTF-8."""
    return written(folder / os.fsdecode(b"caf\xe9\xff.jpg"), jpeg())


SVG = b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
HTML = b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n"
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nhttp://127.0.0.1:9/one.ts\n#EXT-X-ENDLIST\n"

FILES: dict[str, tuple[Callable[[Path], Path], str | None]] = {
    # no medium at all
    "empty": (make("empty.jpg", lambda: b""), "empty_file"),
    "text": (make("notes.txt", lambda: "na\u00efve caf\u00e9\n".encode()), "not_media"),
    "latin-1 text": (make("notes.txt", lambda: "na\u00efve caf\u00e9\n".encode("latin-1")), "not_media"),
    "zeros": (make("a.mp4", lambda: bytes(5000)), "unsupported_format"),
    "json": (make("a.json", lambda: b'{"a": [1, 2]}'), "not_media"),
    "code": (make("a.py", lambda: b"import os\nprint(os)\n"), "not_media"),
    "html called mp4": (make("page.mp4", lambda: HTML), "not_media"),
    "playlist called mp4": (make("list.mp4", lambda: PLAYLIST), "not_media"),
    "svg": (make("a.svg", lambda: SVG), "unsupported_format"),
    "pdf": (make("a.pdf", lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), "unsupported_format"),
    "random bytes": (make("a.jpg", lambda: np.random.default_rng(1).bytes(5000)), "unsupported_format"),
    "zip called png": (make("a.png", lambda: b"PK\x03\x04" + bytes(100)), "unsupported_format"),
    "sound only": (make("song.mp4", sound), "no_video_stream"),
    "wave": (make("a.wav", lambda: b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(28)), "no_video_stream"),
    "heic": (make("a.heic", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)), "unsupported_format"),
    "jpeg xl": (make("a.jxl", lambda: b"\xff\x0a" + bytes(100)), "unsupported_format"),
    "photoshop": (make("a.psd", lambda: b"8BPS\0\1" + bytes(100)), "unsupported_format"),
    "20 GB of nothing": (sparse, "unsupported_format"),
    "mp3": (make("a.mp3", lambda: b"ID3\x04\x00\x00" + bytes(100)), "no_video_stream"),
    # no file at all
    "fifo": (fifo, "not_a_file"),
    "socket": (socket_file, "not_a_file"),
    "device": (link("zero.jpg", "/dev/zero"), "not_a_file"),
    "folder": (folder_called_like_a_picture, "not_a_file"),
    "dangling link": (link("gone.jpg", "nowhere.jpg"), "broken_link"),
    "looping link": (link("loop.jpg", "loop.jpg"), "link_loop"),
    "missing": (lambda folder: folder / "never.jpg", "missing"),
    # damaged
    "jpeg, 20 bytes": (make("a.jpg", lambda: jpeg()[:20]), "truncated"),
    "jpeg, 60 %": (make("a.jpg", cut(jpeg, 0.6)), "truncated"),
    "jpeg, last bytes gone": (make("a.jpg", lambda: jpeg()[:-40]), "truncated"),
    "png, 20 bytes": (make("a.png", lambda: png()[:20]), "truncated"),
    "png, 60 %": (make("a.png", cut(png, 0.6)), "truncated"),
    "webp, 60 %": (make("a.webp", cut(lambda: encoded(photo(), "WEBP"), 0.6)), "truncated"),
    "gif, 60 %": (make("a.gif", cut(lambda: encoded(photo(), "GIF"), 0.6)), "truncated"),
    "png, damaged header": (make("a.png", lambda: png().replace(b"IHDR", b"IHDX")), "corrupt_image"),
    "png, damaged pixels": (make("a.png", lambda: png().replace(b"IDAT", b"IDAX")), "corrupt_image"),
    "tiff, damaged": (make("a.tif", damaged_tiff), "corrupt_image"),
    "bomb": (make("bomb.png", bomb_png), "too_many_pixels"),
    "ppm bomb": (make("a.ppm", lambda: b"P6 90000 90000 255\n" + bytes(100)), "too_many_pixels"),
    "gif bomb": (make("a.gif", lambda: gif(1, canvas=(65_535, 65_535))), "too_many_pixels"),
    "text bomb": (make("a.png", text_bomb), "corrupt_image"),
    "five static hours": (make("a.mp4", lasting(5)), "too_long"),
    "mp4, 20 bytes": (make("a.mp4", lambda: movie()[:20]), "truncated"),
    "mp4 without its index": (make("a.mp4", cut(lambda: film(noise_scene(1, 20)), 0.5)), "truncated"),
    "mp4, index overwritten": (make("a.mp4", lambda: movie().replace(b"moov", b"zzzz")), "corrupt_video"),
    "mp4, 60 %": (make("a.mp4", cut(movie, 0.6)), "corrupt_video"),
    "mp4, damaged in the middle": (make("a.mp4", damaged_movie), "corrupt_video"),
    # odd but good
    "jpeg called mp4": (make("a.mp4", jpeg), None),
    "mp4 called jpg": (make("a.jpg", movie), None),
    "cmyk": (make("a.jpg", lambda: encoded(photo().convert("CMYK"), "JPEG")), None),
    "16 bit": (make("a.png", lambda: encoded(sixteen_bit(), "PNG")), None),
    "palette with transparency": (make("a.png", see_through_palette), None),
    "exif turned": (make("a.jpg", exif_turned), None),
    "animated gif": (make("a.gif", animation("GIF")), None),
    "animated webp": (make("a.webp", animation("WEBP")), None),
    "1 x 20,000 pixels": (make("a.png", lambda: encoded(photo(1, 20_000), "PNG")), None),
    "20,000 x 1 pixels": (make("a.jpg", lambda: encoded(photo(20_000, 1), "JPEG")), None),
    "one pixel": (make("a.png", lambda: encoded(Image.new("RGB", (1, 1)), "PNG")), None),
    "odd sides": (make("a.jpg", lambda: encoded(photo(97, 63), "JPEG", subsampling=2)), None),
    "progressive": (make("a.jpg", lambda: encoded(photo(), "JPEG", progressive=True)), None),
    "lab": (make("a.tif", lambda: encoded(Image.new("LAB", (96, 64), (150, 128, 128)), "TIFF")), None),
    "floats": (make("a.tif", lambda: encoded(sixteen_bit().convert("F"), "TIFF")), None),
    "grey with transparency": (make("a.png", lambda: encoded(photo().convert("LA"), "PNG")), None),
    "one bit": (make("a.png", lambda: encoded(photo().convert("1"), "PNG")), None),
    "junk for a profile": (make("a.png", profile_junk), None),
    "junk for exif": (make("a.jpg", exif_junk), None),
    "avif": (make("a.avif", lambda: encoded(photo(), "AVIF")), None),
    "jpeg 2000": (make("a.jp2", lambda: encoded(photo(), "JPEG2000")), None),
    "tiff of three pages": (make("a.tif", pages), None),
    "jpeg with a tail": (make("a.jpg", lambda: jpeg() + bytes(1000)), None),
    "animated png": (make("a.png", animation("PNG")), None),
    "animated avif": (make("a.avif", animation("AVIF")), None),
    "100,000 frames": (make("a.gif", lambda: gif(100_000)), None),
    "million frames declared": (make("a.png", apng_of_a_million), None),
    "hevc": (make("a.mp4", coded("libx265", "mp4", SIZE, **{"x265-params": "log-level=none"})), None),
    "vp9": (make("a.webm", coded("libvpx-vp9", "webm")), None),
    "vp9, odd sides": (make("a.webm", coded("libvpx-vp9", "webm", (191, 107))), None),
    "av1": (make("a.mp4", coded("libsvtav1", preset="12")), None),
    "motion jpeg": (make("a.avi", coded("mjpeg", "avi", strict="unofficial")), None),
    "uneven frame times": (make("a.mp4", lambda: film(noise_scene(1, 5), times=[0, 1, 40, 41, 90])), None),
    "three static hours": (make("a.mp4", lasting(3)), None),
    "turned video": (make("a.mp4", lambda: turned(movie())), None),
    "one frame": (make("a.mp4", lambda: film(noise_scene(1, 1))), None),
    "black video": (make("a.mp4", lambda: film(still_scene((0, 0, 0), 50))), None),
    "static video": (make("a.mp4", lambda: film(textured_still(3, 50))), None),
    "matroska": (make("a.mkv", lambda: film(noise_scene(1, 30), "matroska")), None),
    "avi": (make("a.avi", lambda: film(noise_scene(1, 30), "avi", "mpeg4", {"qscale": "3"})), None),
    "transport stream": (make("a.ts", lambda: film(noise_scene(1, 30), "mpegts", "mpeg2video", {"g": "10"})), None),
    "newline in the name": (make("a\nb.jpg", jpeg), None),
    "quotes in the name": (make("a'b\"c`d $(e).jpg", jpeg), None),
    "emoji in the name": (make("\U0001f98a \u65e5\u672c.jpg", jpeg), None),
    "name that is no utf-8": (bytes_named, None),
    "backslashes in the name": (make("a\\xff.jpg", jpeg), None),
    "dashes and dots in the name": (make("--help..jpg", jpeg), None),
    "name of 255 bytes": (make("x" * 251 + ".jpg", jpeg), None),
    "name written right to left": (make("a\u202egpj.jpg", jpeg), None),
    "link to a picture": (lambda folder: link("l.jpg", make("t.jpg", jpeg)(folder).name)(folder), None),
}
