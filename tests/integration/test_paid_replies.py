"""A run that is killed with replies in flight goes on and pays for none of the others a second time."""

import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.reply_cache.stock import stock
from pipeline.store.shards import read_dataset
from pipeline.synth.recipe import DATASETS
from tests.integration.killable import ROOT, SCRIPT, TASK, asked, synth, synth_until, write_pool
from tests.integration.test_full_disk import in_own_mounts, mounts_allowed

PICTURES, WINDOW = 150, 4


def kept(cache: Path) -> int:
    return sum(of_model.entries for of_model in stock(cache))


def rows(out: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: read_dataset(out / "synth" / TASK / name).to_pylist() for name in DATASETS}


def test_kills_cost_no_more_than_the_replies_in_flight(tmp_path: Path) -> None:
    out, calls = write_pool(tmp_path, PICTURES), tmp_path / "calls"
    moments = sorted(random.Random(0).sample(range(10, PICTURES - 10), 2))
    for earlier, until in enumerate(moments):
        assert synth_until(until + earlier * WINDOW, out, calls, WINDOW, reply_s=0.01) == -signal.SIGKILL
    assert 0 < kept(out / "cache") < PICTURES
    synth(out, calls, WINDOW)
    counted = Counter(asked(calls))
    assert len(counted) == kept(out / "cache") == PICTURES
    assert sum(counted.values()) - PICTURES <= len(moments) * WINDOW
    found = rows(out)

    calls.unlink()
    synth(out, calls, WINDOW, overwrite=True)
    assert asked(calls) == []
    assert rows(out) == found

    undisturbed = write_pool(tmp_path / "undisturbed", PICTURES)
    synth(undisturbed, calls, WINDOW)
    assert rows(undisturbed) == found


def test_a_full_disk_stops_the_run_and_what_was_paid_for_is_not_asked_again(tmp_path: Path) -> None:
    out, calls = write_pool(tmp_path, PICTURES), tmp_path / "calls"
    replies = out / "cache/replies"
    replies.mkdir(parents=True)
    if not mounts_allowed(replies):
        pytest.skip("this system lets no unprivileged process mount a file system")
    (tmp_path / "synth.py").write_text(SCRIPT)
    run = f"PYTHONPATH='{ROOT}' '{sys.executable}' '{tmp_path}/synth.py' '{out}' '{calls}' {WINDOW} 0"
    done = in_own_mounts(
        f"mount -t tmpfs -o size=32k tmpfs '{replies}' && {run} ; echo first exit $?"
        f"; mount -o remount,size=10m '{replies}' && {run} ; echo second exit $?; cp -r '{replies}' '{tmp_path}'"
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "first exit 1" in done.stdout
    assert "second exit 0" in done.stdout, done.stderr
    assert len(errors) == 1
    assert "cannot go on: [Errno 28] No space left on device" in errors[0]
    assert ".jsonl" in errors[0]
    counted = Counter(asked(calls))
    assert len(counted) == kept(tmp_path) == PICTURES
    assert sum(counted.values()) - PICTURES <= WINDOW
