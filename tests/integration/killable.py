"""A synthesis that can be killed, with a VLM that writes down what it is asked; also for benchmarks/reply_cache.py."""

import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from pipeline.config import Config, RunnerSettings, VlmSettings
from pipeline.runners import local
from pipeline.schemas import ASSETS
from pipeline.store.shards import Manifest, write_dataset
from pipeline.synth.recipe import synthesise
from tests.runners.steps import Silent
from tests.store.reply_cache.vlms import Slow
from tests.synth.samples import asset

ROOT = Path(__file__).parents[2]
TASK = "image_qa"
# Arguments: out, calls, window, seconds a reply takes.
SCRIPT = """
import sys
from pathlib import Path
from pipeline.errors import StorageError
from tests.integration.killable import synth
try:
    synth(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
except StorageError as error:
    sys.exit(f"error: {error}")
"""


def write_pool(folder: Path, pictures: int) -> Path:
    """A seed pool of plain pictures; give its `out`."""
    media, out = folder / "media", folder / "out"
    media.mkdir(parents=True)
    for i in range(pictures):
        Image.new("RGB", (32, 32), (i % 256, i // 256, 128)).save(media / f"p{i}.png")
    table = pa.Table.from_pylist([asset(f"p{i}") for i in range(pictures)], schema=ASSETS)
    manifest = Manifest(len(table), "pool", media_root=str(media))
    write_dataset(out / "seed_pool" / "assets", table, ASSETS, manifest, out / ".work")
    return out


def synth(out: Path, calls: Path, window: int, reply_s: float = 0, overwrite: bool = False) -> None:
    """Synthesise TASK in this process."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(local, "load", lambda ref: Slow(calls, window, reply_s))
        config = Config(vlm=VlmSettings(adapter="fake", batch_size=60))
        synthesise(out, [TASK], config, local.LocalRunner(RunnerSettings(kind="local")), Silent(), overwrite)


def synth_until(calls_made: int, out: Path, calls: Path, window: int, reply_s: float) -> int:
    """Synthesise TASK in a process that is killed when its VLM was asked so often in all; give the exit status."""
    running = subprocess.Popen([sys.executable, "-c", SCRIPT, out, calls, str(window), str(reply_s)], cwd=ROOT)
    while len(asked(calls)) < calls_made and running.poll() is None:
        time.sleep(0.001)
    running.kill()
    return running.wait()


def asked(calls: Path) -> list[str]:
    """What the VLM was asked, a name each time."""
    return calls.read_text().splitlines() if calls.exists() else []
