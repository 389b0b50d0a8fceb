"""What asking a VLM costs is shown before and after, and limited."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.cli.spending import Line, print_spending
from pipeline.config import VlmSettings
from pipeline.models.protocols import Usage
from tests.cli.test_bad_usage import failure, run

FAKES = [
    part
    for setting in (
        "vlm.adapter=fake",
        "vlm.batch_size=1",
        "aligner.adapter=fake",
        "seed_pool.align.min_alignment=-1",
        "seed_pool.label.min_vlm_confidence=0",
        "seed_pool.pictures.max_edge_width_px=256",
    )
    for part in ("--set", setting)
]


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    for number in range(4):
        blocks = np.random.default_rng(number).integers(0, 256, (10, 12, 3))
        picture = np.kron(blocks, np.ones((20, 20, 1))).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


def build(media: Path, out: Path, *more: str) -> None:
    code, said = run("seed-pool", "build", media, "--out", out, "--runner", "local", *FAKES, *more)
    assert code == 0, said
    assert "what the VLM has used" in said


def queries(out: Path) -> list[dict[str, object]]:
    return pq.read_table(out / "synth" / "image_qa" / "queries").to_pylist()


def synth(out: Path, *more: str) -> list[str]:
    return ["synth", "run", "--task", "image_qa", "--out", str(out), "--runner", "local", *FAKES, *more]


def test_a_dry_run_asks_nothing_and_shows_one_request_with_its_frames(media: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(media, out)
    prices = ["--set", "vlm.prices.input_per_million=1e3", "--set", "vlm.prices.output_per_million=0"]
    code, said = run(*synth(out, "--dry-run", *prices))
    assert code == 0, said
    assert "nothing was asked" in said
    assert "USD" in said
    assert "<<<DATA" in said
    assert list((out / ".work" / "dry_run").glob("image_qa-*.jpg"))
    assert not (out / "synth").exists()


def test_a_run_that_reached_its_limit_goes_on_and_gives_the_rows_of_an_undisturbed_one(
    media: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    build(media, out)
    build(media, other)
    for _ in range(3):
        code, line = failure(*synth(out, "--max-tokens", "500"))
        assert code == 1
        assert "--max-tokens is 500; nothing is lost" in line
        assert not (out / "synth").exists()
    code, said = run(*synth(out))
    assert code == 0, said
    run(*synth(other))
    assert len(queries(out)) == 4
    assert queries(out) == queries(other)


def test_a_dry_run_knows_what_is_in_the_reply_cache(media: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(media, out)
    code, _ = failure(*synth(out, "--max-tokens", "500"))
    assert code == 1
    kept = int(re.search(r"(\d+) replies", run("synth", "cache", "--out", out)[1])[1])  # some are labels of the pool
    code, said = run(*synth(out, "--dry-run"))
    assert code == 0, said
    requests, cached = (int(n) for n in re.search(r"image_qa +(\d+) +(\d+)", said.replace("│", " ")).groups())
    assert requests == 4
    assert 0 < cached < min(4, kept)


def test_a_limit_of_money_needs_prices(media: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(media, out)
    code, line = failure(*synth(out, "--max-cost", "5"))
    assert code == 2
    assert "vlm.prices.input_per_million" in line


def test_the_builtin_annotator_costs_nothing(tmp_path: Path) -> None:
    code, said = run("synth", "run", "--task", "image_qa", "--out", tmp_path, "--dry-run")
    assert code == 0
    assert "asks no VLM" in said


def test_the_table_adds_up_and_has_a_dash_for_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [Line("image_qa", Usage(2, 1, 1000, 20), 700, 0.5), Line("video_qa", Usage(3, 0, 2000, 30), 1500, None)]
    print_spending("spent", lines, VlmSettings())
    assert [" ".join(line.replace("│", " ").split()) for line in capsys.readouterr().out.splitlines()[-3:]] == [
        "image_qa 2 1 1,000 700 20 - 0.50",
        "video_qa 3 0 2,000 1,500 30 - -",
        "all 5 1 3,000 2,200 50 - -",
    ]


def test_verifying_is_estimated_and_the_report_shows_how_often_the_judge_agreed(media: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(media, out)
    code, said = run(*synth(out, "--verify", "--dry-run"))
    assert code == 0, said
    assert "what verifying would take at most" in said
    code, said = run(*synth(out, "--verify"))
    assert code == 0, said
    assert "Agreement of the judge" in (out / "report.html").read_text(encoding="utf-8")
