"""A small folder of real photos (scikit-learn ships two) and made videos, with some that must be rejected."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import av
import numpy as np
from PIL import Image

SIZE = (320, 240)


def write_media(root: Path) -> Path:
    """Fill `root` and return it."""
    root.mkdir(parents=True)
    photos = files("sklearn.datasets") / "images"
    for name in ("china.jpg", "flower.jpg"):
        (root / name).write_bytes((photos / name).read_bytes())
    shutil.copy(root / "china.jpg", root / "copy of china.jpg")
    with Image.open(root / "flower.jpg") as flower:
        flower.crop((60, 40, 400, 360)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / "petals.png")
        flower.resize((100, 70)).save(root / "small.jpg")
    for name, colour in {"sea.png": (20, 60, 200), "meadow.png": (40, 170, 50), "brick.png": (190, 30, 30)}.items():
        Image.fromarray(surface(colour, seed=len(name))).save(root / name)
    (root / "broken.jpg").write_bytes((root / "china.jpg").read_bytes()[:3000])
    (root / "page.mp4").write_text("<html>not a video</html>")
    (root / "empty.png").write_bytes(b"")
    (root / "weird \n 'name' 🎬.png").write_bytes((root / "sea.png").read_bytes()[:-5])
    write_video(root / "scenes.mp4", [(200, 40, 40), (40, 180, 60), (40, 60, 210), (235, 235, 235), (15, 15, 15)])
    write_video(root / "more.mp4", [(240, 200, 40), (30, 30, 120), (220, 120, 190)])
    return root


def surface(colour: tuple[int, int, int], seed: int) -> np.ndarray:
    """A textured surface of mostly one colour, brighter on its left."""
    noise = np.random.default_rng(seed).normal(0, 12, (SIZE[1] // 8, SIZE[0] // 8, 1)).repeat(8, 0).repeat(8, 1)
    light = np.linspace(1.15, 0.75, SIZE[0])[None, :, None]
    return np.clip(np.array(colour) * light + noise, 0, 255).astype(np.uint8)


def write_video(path: Path, colours: list[tuple[int, int, int]]) -> None:
    """Two seconds a colour, with a bar that moves."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = *SIZE, "yuv420p", 2_000_000
        for number, colour in enumerate(colours):
            for k in range(24):
                picture = surface(colour, seed=number)
                picture[40 + 6 * k : 60 + 6 * k, 60:260] = 255 - np.array(colour)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
