"""synth cache shows what VLMs have answered, and prunes it only when told what."""

from pathlib import Path

import pytest

from pipeline.models.protocols import Reply, Usage
from pipeline.store.reply_cache.cached_vlm import model_folder
from pipeline.store.reply_cache.entries import Entry
from pipeline.store.reply_cache.log import ReplyLog
from pipeline.store.reply_cache.stock import stock
from tests.cli.test_bad_usage import failure, run

OLD, NEW = "2020-02-03T04:05:06Z", "2999-01-01T00:00:00Z"
QWEN, GEMMA = "openai:qwen[bold]:temperature=0.7", "vllm:gemma"


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "200")
    for i, (model, at) in enumerate([(QWEN, OLD), (QWEN, OLD), (QWEN, NEW), (GEMMA, OLD)]):
        reply = Reply("x" * 1000, "stop", Usage(1, 0, 1_000_000, 20 + i))
        with ReplyLog(model_folder(tmp_path / "cache", model)).appending() as kept:
            kept.add(Entry(f"{i:064x}", model, ("a",), at, reply))
    return tmp_path


def left(out: Path) -> dict[str, int]:
    return {kept.model: kept.entries for kept in stock(out / "cache")}


def test_models_sizes_times_and_tokens_are_shown(out: Path) -> None:
    code, output = run("synth", "cache", "--out", out)
    assert code == 0
    lines = [line.replace("│", " ").split() for line in output.splitlines() if "│" in line]
    shown = {cells[0]: " ".join(cells[1:]) for cells in lines}
    assert shown[QWEN] == "3 4.0 kB 2020-02-03 2999-01-01 3000000 63 0"
    assert shown[GEMMA] == "1 1.3 kB 2020-02-03 2020-02-03 1000000 23 0"
    assert f"4 replies, 5.3 kB: {out / 'cache' / 'replies'}" in output
    assert left(out) == {QWEN: 3, GEMMA: 1}


def test_an_empty_cache_is_no_error(tmp_path: Path) -> None:
    code, output = run("synth", "cache", "--out", tmp_path)
    assert code == 0
    assert "0 replies" in output
    assert run("synth", "cache", "--prune", "--all", "--out", tmp_path)[0] == 0


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (["--older-than", "30d"], {QWEN: 1}),
        (["--older-than", "52w", "--model", "qwen"], {QWEN: 1, GEMMA: 1}),
        (["--model", "gemma"], {QWEN: 3}),
        (["--all"], {}),
    ],
)
def test_what_the_options_name_goes_and_a_dry_run_only_says_so(
    out: Path, options: list[str], kept: dict[str, int]
) -> None:
    number = 4 - sum(kept.values())
    code, output = run("synth", "cache", "--prune", *options, "--dry-run", "--out", out)
    assert code == 0
    assert f"{number} replies" in output
    assert "would go" in output
    assert left(out) == {QWEN: 3, GEMMA: 1}
    code, output = run("synth", "cache", "--prune", *options, "--out", out)
    assert code == 0
    assert f"{number} replies" in output
    assert left(out) == kept


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--older-than", "30d"], "add --prune"),
        (["--all"], "add --prune"),
        (["--dry-run"], "add --prune"),
        (["--prune"], "say which replies are to go"),
        (["--prune", "--all", "--model", "gemma"], "--all alone"),
        (["--prune", "--older-than", "30"], "'30' is no length of time"),
        (["--prune", "--older-than", "-3d"], "such as 30d"),
        (["--prune", "--model", "lama"], f"replies are kept of: {QWEN}, {GEMMA}"),
    ],
)
def test_half_an_order_deletes_nothing(out: Path, options: list[str], words: str) -> None:
    code, line = failure("synth", "cache", *options, "--out", out)
    assert code == 2
    assert words in line
    assert left(out) == {QWEN: 3, GEMMA: 1}
