"""The real stage against a server that does everything wrong, killed twice on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.models.usage import total_usage
from pipeline.schemas import USAGE
from pipeline.store.resume import Shards
from tests.models.chat_server import ChatServer
from tests.models.hostile_run import CONCURRENCY, WORK, names, sampled
from tests.models.hostile_server import DEAD, FIRST_SEED, LAST_WORDS, Hostile, last_word, outcome, response

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROWS = 2000
KILLED_AFTER = (2, 5)  # shards
POLL_S = 0.05
# Last words in which there is no reply of the model's: no cache keeps them.
NO_REPLY = {
    *("invalid UTF-8", "no JSON body", "no choices", "error with status 200", "body cut off", "5 MB"),
    *("bad request", "too large", DEAD),
}
ROOT = Path(__file__).resolve().parents[2]


def started(folder: Path, url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.models.hostile_run", str(folder), url, str(ROWS)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True)


def killed(process: subprocess.Popen[bytes], work: Path, shards: int) -> None:
    """Kill -9 as soon as so many shards are finished; it must still be running then."""
    while len(list(work.glob("part-*"))) < shards:
        assert process.poll() is None, "it ended before there was anything to kill it for"
        time.sleep(POLL_S)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Hostile, Any]:
    folder = tmp_path_factory.mktemp("hostile")
    sampled(folder, ROWS)
    hostile = Hostile()
    with ChatServer(hostile) as server:
        for shards in KILLED_AFTER:
            killed(started(folder, server.url), folder / WORK, shards)
        assert started(folder, server.url).wait() == 0
    table = Shards(folder / WORK).read()
    return table.to_pylist(), hostile, total_usage(table.column(USAGE.name))


def test_every_row_is_there_once_and_in_order(run: Any) -> None:
    rows, _, _ = run
    assert [row["asset_id"] for row in rows] == names(ROWS)


def test_a_row_is_kept_with_its_own_answer_or_rejected_with_the_right_reason(run: Any) -> None:
    rows, _, _ = run
    wrong = []
    for row in rows:
        name = row["uri"]
        reason = row["reject"] and row["reject"]["reason"]
        answer = None if row["response"] is None else json.loads(row["response"])
        if (reason, answer) != (outcome(name), response(name) if outcome(name) is None else None):
            wrong.append((name, last_word(name, FIRST_SEED), reason, outcome(name), row["reject"]))
    assert wrong == []


def test_the_server_did_everything_it_can_and_most_rows_survived_it(run: Any) -> None:
    rows, hostile, _ = run
    words = Counter(last_word(row["uri"], FIRST_SEED) for row in rows)
    assert set(words) == set(LAST_WORDS)
    kept = sum(row["reject"] is None for row in rows)
    assert 0.7 * ROWS < kept < 0.85 * ROWS
    assert sum(hostile.attempts.values()) > 1.5 * ROWS


def test_a_kill_costs_no_more_replies_than_were_in_flight(run: Any) -> None:
    _, hostile, _ = run
    paid = [name_and_seed for name_and_seed in hostile.ended if last_word(*name_and_seed) not in NO_REPLY]
    again = sum(hostile.ended[name_and_seed] - 1 for name_and_seed in paid if hostile.ended[name_and_seed])
    assert again <= len(KILLED_AFTER) * CONCURRENCY


def test_what_the_replies_cost_is_counted(run: Any) -> None:
    rows, _, usage = run
    twice = [r["uri"] for r in rows if LAST_WORDS[last_word(r["uri"], FIRST_SEED)] not in (None, "request_failed")]
    assert usage.requests == ROWS + len(twice)
    words = [last_word(r["uri"], FIRST_SEED) for r in rows] + [last_word(name, FIRST_SEED + 1) for name in twice]
    # A chat completion that came whole costs 100 + 10 tokens, but those that say nothing of it, or nonsense; one that
    # was paid for before a kill costs nothing.
    told = sum(word not in {*NO_REPLY, "several choices", "odd cost", "filtered request"} for word in words)
    assert told - usage.cached <= usage.input_tokens / 100 <= told
    assert usage.output_tokens * 10 == usage.input_tokens
