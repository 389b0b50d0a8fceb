"""How fast is the image path of the seed pool, beside a bare decode of the same files and the bare models?

    python benchmarks/images.py [--images 200] [--sample data/sample] [--pools 200,400,800] [--json FILE]

Pictures are mixed from the sample photos, as in road.py. In one process and one thread: every
file decoded by Pillow alone; every model alone on the sampled frames; then the stages of the recipe,
one after the other on the same files. Seconds are those of the processor, the decoding process included, so
that other work on the machine does not count. `ratio` is (bare decode + bare models) / all stages: the aim is
0.8. Then `seed-pool build --runner local` in a process of its own for pools of several sizes (small
pictures, models that take no time), and its peak memory: it should not grow with the pool.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from processor import cpu_seconds
from road import Quiet, mixed

from pipeline.config import Config
from pipeline.config_file import load_config
from pipeline.media.frames import FrameStore
from pipeline.media.jpeg import decode_jpeg
from pipeline.models.load import load
from pipeline.models.protocols import Item
from pipeline.runners.local import LocalRunner
from pipeline.seed_pool.recipe import knowledge, structure
from pipeline.seed_pool.removed import Tombstones
from pipeline.seed_pool.sources import open_source
from pipeline.seed_pool.sources.rows import tables
from pipeline.seed_pool.taxonomy import load_taxonomy
from pipeline.stage import ModelRef, Step, live, numbered

BUILD = """
import atexit, pathlib, sys
atexit.register(lambda: sys.stderr.write(pathlib.Path("/proc/self/status").read_text()))
from pipeline.cli.seed_pool import app
app()
"""
NO_MODELS = (
    "vlm.adapter=fake",
    "aligner.adapter=fake",
    "aligner.model=other",
    "seed_pool.align.min_alignment=-1",
    "seed_pool.pictures.max_edge_width_px=256",
)


def seconds(work: Callable[[], object]) -> float:
    began = cpu_seconds()
    work()
    return cpu_seconds() - began


def decode_all(files: Iterable[Path]) -> None:
    for file in files:
        with Image.open(file) as image:
            image.convert("RGB")


def run_stages(stages: list[Step], rows: pa.Table, config: Config) -> tuple[dict[str, float], pa.Table]:
    """Seconds of each stage, and the rows that come out; a stage sees all rows before the next begins."""
    taken = {}
    for stage in stages:
        began = cpu_seconds()
        rows = pa.concat_tables(LocalRunner(config.runner).map([stage], rows, Quiet()))
        taken[stage.name] = cpu_seconds() - began
        rows = live(rows).drop_columns(["reject"])
    return taken, rows


def bare_models(config: Config, store: FrameStore, assets: pa.Table) -> dict[str, float]:
    """Seconds of the models alone, on frames that are already decoded, with the texts that the recipe gives them."""
    reader: Any = load(ModelRef("text_reader", config.vlm))
    classifier: Any = load(ModelRef("classifier", config.vlm))
    embedder: Any = load(ModelRef("embedder", config.aligner))
    places = assets.select(["asset_id", "uri", "media", "start_s", "end_s"]).to_pylist()
    pixels = [store.get(**place) for place in places]
    pictures = [decode_jpeg(p.frames[0]) for p in pixels]
    texts = [Item(text=text) for text in assets.column("description").to_pylist()]
    return {
        "measure": seconds(lambda: [reader.read(picture) for picture in pictures]),
        "label": seconds(lambda: [classifier.classify([picture]) for picture in pictures]),
        "align": seconds(lambda: (embedder.embed(texts), embedder.embed([Item(pixels=p) for p in pixels]))),
    }


def throughput(folder: Path, work: Path, config: Config) -> dict[str, Any]:
    files = sorted(folder.iterdir())
    decode_all(files)  # so that every reading below finds the files in memory
    store = FrameStore(work / "cache", folder, config.frames)
    for model in (("text_reader", config.vlm), ("classifier", config.vlm), ("embedder", config.aligner)):
        load(ModelRef(*model))
    decoded = seconds(lambda: decode_all(files))
    (found,) = tables(open_source(str(folder), config.seed_pool.sources).found(), len(files))
    rows = numbered(found)
    shaping = structure(store, config, Tombstones(""))
    taxonomy = load_taxonomy(config.seed_pool.label.taxonomy)
    taken, assets = run_stages([*shaping, *knowledge(store, taxonomy, config)], rows, config)
    models = bare_models(config, store, assets)
    # A stage sees the rows that are left; the models alone saw those that came through.
    bare = decoded + sum(models.values()) * len(files) / max(1, len(assets))
    return {
        "images": len(files),
        "kept": len(assets),
        "bare_decode_s": decoded,
        "bare_models_s": models,
        "stages_s": taken,
        "structure_s": sum(taken[stage.name] for stage in shaping),
        "images_per_cpu_s": len(files) / sum(taken.values()),
        "ratio": bare / sum(taken.values()),
    }


def peak_mib(folder: Path, out: Path) -> float:
    """Peak resident memory of a whole build, as the kernel counts it for the process itself (Linux).

    Not `getrusage`: its figure begins with that of the process that forked.
    """
    settings = [part for assignment in NO_MODELS for part in ("--set", assignment)]
    command = [sys.executable, "-c", BUILD, "build", str(folder), "--out", str(out), "--runner", "local", *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-500:]}")
    return int(done.stderr.rpartition("VmHWM:")[2].split()[0]) / 1024


def small_pictures(folder: Path, count: int) -> None:
    """Blocks of random colours, 240 x 200 px, no two alike."""
    folder.mkdir()
    for number in range(count):
        blocks = np.random.default_rng(number).integers(0, 256, (10, 12, 3))
        picture = np.kron(blocks, np.ones((20, 20, 1))).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{number:05d}.jpg", quality=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--sample", type=Path, default=Path("data/sample"))
    parser.add_argument("--pools", default="200,400,800", help="sizes of the pools whose memory is measured")
    parser.add_argument("--json", type=Path, default=Path("data/benchmarks/images.json"))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    config = load_config(None, ["runner.kind=local"])
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        (work / "media").mkdir()
        mixed(arguments.sample, work / "media", arguments.images)
        figures = throughput(work / "media", work, config)
        pools = [int(size) for size in arguments.pools.split(",") if size]
        memory = {}
        for size in pools:
            small_pictures(work / f"pool-{size}", size)
            memory[size] = peak_mib(work / f"pool-{size}", work / f"out-{size}")
    n = figures["images"]
    print(f"{'what':<28}{'CPU s':>8}{'ms an image':>14}{'of it the model':>18}")
    for name, taken in [("bare decode", figures["bare_decode_s"]), *figures["stages_s"].items()]:
        model = figures["bare_models_s"].get(name)
        share = "" if model is None else f"{1000 * model / max(1, figures['kept']):.1f}"
        print(f"{name:<28}{taken:>8.2f}{1000 * taken / n:>14.1f}{share:>18}")
    print(f"{n} images, {figures['kept']} kept, {figures['images_per_cpu_s']:.1f} images a CPU-second")
    print(f"(bare decode + bare models) / stages: {figures['ratio']:.2f}; aim 0.8")
    for size, peak in memory.items():
        print(f"pool of {size:>5} small images: peak {peak:.0f} MiB")
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps({**figures, "peak_mib": memory}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
