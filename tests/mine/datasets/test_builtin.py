"""The command on somebody's texts, with the embedded model."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from pipeline.cli.mine import app
from pipeline.store.shards import read_dataset
from tests.mine.datasets.written import Data, beir

DATA = Data(
    {"dogs": "dog running", "cats": "sleeping cat", "bread": "how bread is baked"},
    {
        "d0": "a dog runs on the grass", "d1": "a cat sleeps on a sofa", "d2": "bread is baked in an oven",
        "d3": "a pizza oven", "d4": "a puppy plays in the park", "d5": "the stock market fell",
    },
    {("dogs", "d0"): 2, ("dogs", "d4"): 0, ("cats", "d1"): 1, ("bread", "d2"): 1},
)  # fmt: skip


def test_texts_are_mined_with_the_embedded_model(tmp_path: Path) -> None:
    beir(tmp_path / "beir", DATA)
    out = tmp_path / "out"
    told = ["--dataset", str(tmp_path / "beir"), "--out", str(out), "--runner", "local", "--t-pos", "0.3"]
    result = CliRunner().invoke(app, [*told, "--instruction", "Find what it is about."])
    assert result.exit_code == 0, result.output
    assert "beir: 3 of 3 queries kept" in result.output
    rows = {r["query_id"]: r for r in read_dataset(out / "mined" / "beir" / "train").to_pylist()}
    assert {q: r["positives"][0]["doc_id"] for q, r in rows.items()} == {"dogs": "d0", "cats": "d1", "bread": "d2"}
    assert {r["instruction"] for r in rows.values()} == {"Find what it is about."}
    hardest = {q: r["negatives"][0] for q, r in rows.items()}
    assert (hardest["dogs"]["doc_id"], hardest["dogs"]["source"]) == ("d4", "given")
    assert (hardest["bread"]["doc_id"], hardest["bread"]["source"]) == ("d3", "mined")
    assert (out / "report.html").is_file()
    said = json.loads((out / "mined" / "beir" / "summary.json").read_text())
    assert (said["data_set"], said["corpus_scope"], said["malformed"]) == ("datasets/beir", "own", {})
    again = CliRunner().invoke(app, [*told, "--instruction", "Find what it is about."])
    assert "nothing has changed since it was mined" in again.output


def test_what_one_run_read_another_mines_as_our_own_layout(tmp_path: Path) -> None:
    beir(tmp_path / "beir", DATA)
    told = ["--runner", "local", "--t-pos", "0.3"]
    first = CliRunner().invoke(app, ["--dataset", str(tmp_path / "beir"), "--out", str(tmp_path / "one"), *told])
    assert first.exit_code == 0, first.output
    own = str(tmp_path / "one" / "datasets" / "beir")
    second = CliRunner().invoke(app, ["--dataset", own, "--out", str(tmp_path / "two"), *told])
    assert second.exit_code == 0, second.output
    a, b = (read_dataset(tmp_path / run / "mined" / "beir" / "train") for run in ("one", "two"))
    assert a.equals(b)
