"""The real stage against a server, in a process of its own that may be killed and started again.

python -m tests.models.hostile_run FOLDER URL ROWS
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.config import Config, SynthSettings
from pipeline.media.frames import FrameStore
from pipeline.runners.local import LocalRunner
from pipeline.stage import ModelRef
from pipeline.store import resume
from pipeline.synth.annotation import Annotation
from pipeline.synth.by_vlm import by_vlm
from pipeline.synth.subjects import subjects
from pipeline.synth.tasks import TASKS
from tests.models.hostile_server import FIRST_SEED, MAX_ATTEMPTS
from tests.models.pictures import pixels, plain
from tests.runners.steps import Silent
from tests.synth.samples import asset, pool

WORK = "annotated-1"
CONCURRENCY = 48


def config(url: str) -> Config:
    server = {
        "json_mode": "json_schema",
        "concurrency": CONCURRENCY,
        "timeout_s": 1.5,
        "max_attempts": MAX_ATTEMPTS,
        "retry_wait_s": 0.02,
        "max_failures_in_row": 50,
    }
    vlm = {"adapter": "openai", "base_url": url, "model": "hostile", "batch_size": 192, "server": server}
    return Config.model_validate({"vlm": vlm, "runner": {"kind": "local"}})


def names(rows: int) -> list[str]:
    return [f"a{i:05d}" for i in range(rows)]


def asked(rows: int) -> pa.Table:
    """One subject an asset; the file is called after it."""
    return subjects(pool(*(asset(name) for name in names(rows))), TASKS["image_qa"], ["en"])


def sampled(folder: Path, rows: int) -> None:
    """Put the frames of all assets where the stage finds them."""
    store = FrameStore(folder / "cache", folder, Config().frames)
    for i, name in enumerate(names(rows)):
        store.put(name, pixels(np.ascontiguousarray(plain(i % 256, i // 256, 90))))


def main(folder: Path, url: str, rows: int) -> None:
    settings = config(url)
    annotation = Annotation("image_qa", SynthSettings(), settings.frames, folder / "cache", folder, FIRST_SEED)
    vlm = settings.annotator
    stage = by_vlm(annotation, ModelRef("vlm", vlm), vlm.batch_size)
    resume.FLUSH_ROWS = 192  # finished rows are kept after each batch
    resume.resumable_map(LocalRunner(settings.runner), [stage], resume.chunked(asked(rows)), folder / WORK, Silent())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
