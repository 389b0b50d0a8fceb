"""What lies where: splits, several data sets, and single ones in folders of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.mine.datasets.layouts import Pairs, Retrieval, layouts
from tests.mine.datasets.mining import mine, mined
from tests.mine.datasets.written import json_lines


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def files(root: Path, split: str | None = None) -> dict[str, list[str]]:
    return {name: [f.uri for f in layout.files] for name, layout in layouts(root, split).items()}


def test_files_that_are_splits_are_chosen_among(tmp_path: Path) -> None:
    touch(tmp_path, "train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "test-00000-of-00001.parquet")
    assert files(tmp_path) == {"": ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]}
    assert files(tmp_path, "test") == {"": ["test-00000-of-00001.parquet"]}


def test_folders_that_are_splits_are_no_sub_data_sets(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.jsonl", "test/a.jsonl")
    assert files(tmp_path) == {"": ["train/a.jsonl"]}
    assert files(tmp_path, "test") == {"": ["test/a.jsonl"]}


def test_the_folder_data_of_a_hub_repository_is_looked_into(tmp_path: Path) -> None:
    touch(tmp_path, "README.md", "data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet")
    assert files(tmp_path) == {"": ["data/train-00000-of-00001.parquet"]}


def test_files_and_folders_of_other_names_are_data_sets_of_their_own(tmp_path: Path) -> None:
    touch(tmp_path / "files", "nq.jsonl", "hotpot-00000.jsonl", "hotpot-00001.jsonl")
    assert files(tmp_path / "files") == {"hotpot": ["hotpot-00000.jsonl", "hotpot-00001.jsonl"], "nq": ["nq.jsonl"]}
    touch(tmp_path / "folders", "a/x.jsonl", "b/queries.jsonl", "b/corpus.jsonl.gz", "b/qrels/test.tsv", ".x/y.jsonl")
    found = layouts(tmp_path / "folders", None)
    assert {name: type(layout) for name, layout in found.items()} == {"a": Pairs, "b": Retrieval}


def test_judgements_are_chosen_by_split_and_queries_are_all_read(tmp_path: Path) -> None:
    touch(tmp_path, "queries.jsonl", "corpus.jsonl", "qrels/train.tsv", "qrels/dev.tsv", "qrels/test.tsv")
    assert files(tmp_path) == {"": ["queries.jsonl", "corpus.jsonl", "qrels/train.tsv"]}
    assert files(tmp_path, "dev")[""][2:] == ["qrels/dev.tsv"]


def test_a_split_of_one_file_is_bad_usage(tmp_path: Path) -> None:
    json_lines(tmp_path / "p.jsonl", [{"query": "red", "pos": ["red"]}])
    with pytest.raises(UsageError, match=r"p\.jsonl is one file"):
        layouts(tmp_path / "p.jsonl", "train")


def test_folders_in_folders_in_folders_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "in/one/a/x.jsonl", "in/one/b.jsonl", "in/one/c.jsonl")
    with pytest.raises(UsageError, match="one holds several data sets; mine it by itself"):
        layouts(tmp_path / "in", None)


def test_keys_that_only_later_lines_have_are_read(tmp_path: Path) -> None:
    rows = [{"query": f"red {i}", "pos": ["red"]} for i in range(1100)]
    json_lines(tmp_path / "p.jsonl", [*rows, {"anchor": "blue", "pos": ["blue"], "neg": ["green"]}])
    train = mined(tmp_path / "out", tmp_path / "p.jsonl")["train"]
    (blue,) = [r for r in train if r["query"]["text"] == "blue"]
    hardest = blue["negatives"][0]
    assert (hardest["content"]["text"], hardest["source"]) == ("green", "given")


def test_options_that_say_nothing_here_are_refused(tmp_path: Path) -> None:
    json_lines(tmp_path / "p.jsonl", [{"query": "red", "pos": ["red"]}])
    mine(tmp_path / "out", tmp_path / "p.jsonl")
    own = tmp_path / "out" / "datasets" / "same"
    for told, option in (
        ({"split": "x"}, "--split"),
        ({"columns": {"query": "q"}}, "--column"),
        ({"instruction": "Find it."}, "--instruction"),
        ({"in_batch_negatives": False}, "--no-in-batch-negatives"),
    ):
        with pytest.raises(UsageError, match=f"has no use for {option}; leave it out"):
            mine(tmp_path / "other", own, **told)
    touch(tmp_path / "beir", "queries.jsonl", "corpus.jsonl", "qrels/train.tsv")
    with pytest.raises(UsageError, match="--column names columns of pairs"):
        mine(tmp_path / "third", tmp_path / "beir", columns={"query": "q"})
