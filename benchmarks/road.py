"""How much of a seed-pool run is neither decoding nor models: python benchmarks/road.py [--images 500]

Builds a pool of pictures mixed from the sample photos with the plain runner, in this process, so that
Ray's start is apart, and compares the wall time with the seconds spent inside the stages that decode
or run a model. Aim: less than 20 % is left. Also prints the peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.config_file import load_config
from pipeline.models.load import load
from pipeline.runners.local import LocalRunner
from pipeline.seed_pool.recipe import build_seed_pool
from pipeline.stage import ModelRef

WORK = ("probe", "scenes", "measure", "label", "similarity")


class Quiet:
    """A Progress that says nothing."""

    def begin(self, stages: object, rows: int) -> None: ...
    def advance(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None: ...
    def end(self) -> None: ...


def mixed(sample: Path, folder: Path, count: int) -> None:
    """Write `count` pictures, each a mixture of crops of two sample photos: so many crops of so few would be copies."""
    random = np.random.default_rng(0)
    photos = [p for p in sorted(sample.glob("images/*")) if min(Image.open(p).size) >= 300]
    for number in range(count):
        one, two = (cropped(photos[i], random) for i in random.choice(len(photos), 2, replace=False))
        Image.blend(one, two.resize(one.size), 0.5).save(folder / f"{number:05d}.jpg", quality=90)


def cropped(path: Path, random: np.random.Generator) -> Image.Image:
    """A part of a photo, at least half of each side."""
    with Image.open(path) as photo:
        picture = photo.convert("RGB")
    width, height = (int(side * random.uniform(0.5, 1)) for side in picture.size)
    x, y = (int(random.integers(0, side - cut + 1)) for side, cut in zip(picture.size, (width, height), strict=True))
    return picture.crop((x, y, x + width, y + height))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--sample", type=Path, default=Path("data/sample"))
    parser.add_argument("--json", type=Path, default=Path("data/benchmarks/road.json"))
    arguments = parser.parse_args()
    config = load_config(None, ["runner.kind=local"])
    for kind, settings in (("text_reader", config.vlm), ("classifier", config.vlm), ("embedder", config.aligner)):
        load(ModelRef(kind, settings))
    with tempfile.TemporaryDirectory() as temporary:
        media, out = Path(temporary) / "media", Path(temporary) / "out"
        media.mkdir()
        mixed(arguments.sample, media, arguments.images)
        began = time.perf_counter()
        pool = build_seed_pool(str(media), out, config, LocalRunner(config.runner), Quiet())
        wall = time.perf_counter() - began
    seconds = {c.stage: c.seconds for c in pool.counts}
    work = sum(seconds[s] for s in WORK)
    figures = {
        "images": arguments.images,
        "kept": pool.kept,
        "wall_s": round(wall, 2),
        **{f"{s}_s": round(seconds[s], 2) for s in WORK},
        "other_share": round(1 - work / wall, 4),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    for name, value in figures.items():
        print(f"{name:>12}  {value}")
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
