"""An image and a video task through vLLM in Ray's workers, undisturbed and with an engine killed in the middle."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.runners.ray import RayRunner
from pipeline.store.reply_cache.stock import stock
from pipeline.synth.recipe import synthesise
from tests.runners.steps import Silent
from tests.vllm.conftest import vlm_settings
from tests.vllm.cores import cores
from tests.vllm.pool import TASKS, check, config, write_pool

PICTURES, CLIPS = 30, 6


@pytest.fixture(autouse=True)
def ray_ends() -> Iterator[None]:
    import ray

    yield
    ray.shutdown()


def kill_once(out: Path, after: int) -> threading.Thread:
    """Kill the engine when so many replies are kept."""

    def watch() -> None:
        while sum(of_model.entries for of_model in stock(out / "cache")) < after:
            time.sleep(0.02)
        for core in cores():
            core.kill()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_a_run_whose_engine_is_killed_ends_with_every_row_once(tmp_path: Path, checkpoints: Path) -> None:
    out = write_pool(tmp_path, PICTURES, CLIPS)
    wanted = config(vlm_settings(checkpoints / "bare", max_refused_share=1.0))
    killer = kill_once(out, after=4)
    synthesise(out, list(TASKS), wanted, RayRunner(wanted.runner), Silent())
    killer.join(timeout=1)
    assert not killer.is_alive()
    check(out, PICTURES + CLIPS)
    for task in TASKS:
        usage = json.loads((out / "synth" / task / "summary.json").read_text())["usage"]
        assert usage["requests"] >= {"image_classification": PICTURES, "video_classification": CLIPS}[task]
        assert usage["output_tokens"] > 0
