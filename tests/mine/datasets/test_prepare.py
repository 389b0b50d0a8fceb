"""Whatever cannot be used is counted under a name that says where it stands."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import DataError, UsageError
from pipeline.mine.data_set import DataSet
from pipeline.mine.datasets import judged_pairs, prepare
from pipeline.store import shards
from tests.mine.datasets.mining import malformed, mine, mined
from tests.mine.datasets.written import json_lines, parquet


def write(path: Path, *lines: object) -> None:
    """Objects as JSON, bytes as they are, a line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join((x if isinstance(x, bytes) else json.dumps(x).encode()) + b"\n" for x in lines))


def hostile(folder: Path) -> Path:
    write(
        folder / "queries.jsonl",
        {"_id": "q1", "text": "red"},
        {"_id": "q1", "text": "red again"},
        {"_id": "q2", "text": " \n"},
        {"_id": "q3", "text": "blue"},
        b'{"_id": "q4", "text": "\xff"}',
        b"{",
        b'["a list"]',
        {"text": "no id"},
        {"_id": ["q"], "text": "a list for an id"},
        {"_id": "q5", "text": {"a": 1}},
        b'{"_id": "q6", "text": "half \\ud800"}',
        {"_id": "q7", "text": "pink"},
        {"_id": "q8", "text": "green"},
        b"",
    )
    write(
        folder / "corpus.jsonl",
        {"_id": "d1", "text": "red"},
        {"_id": "d2", "title": "", "text": "blue", "metadata": {"any": "thing"}},
        {"_id": "d1", "text": "other"},
        {"_id": "d3", "title": "", "text": ""},
        {"_id": "d4", "image": "../secret.png"},
        {"_id": "d5", "image": "/etc/passwd"},
        {"_id": "d6", "image": "file:///etc/passwd"},
        {"_id": "d7", "image": "a.png", "video": "a.mp4"},
        {"_id": "d8", "video": "a.mp4", "start_s": 3, "end_s": 1},
        {"_id": "d9", "video": "a.mp4", "start_s": "soon"},
        {"_id": 10, "text": "grey"},
    )
    (folder / "qrels").mkdir()
    (folder / "qrels" / "train.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t-1\nq1\t10\t0\nq1\td1\t1\nq1\td1\t0\nq7\td1\t1\nq7\td1\tmany\n"
        "q7\t\t1\nq7\td3\t1\nnone\td1\t1\nq8\td2\t0\nq7\n",
        encoding="utf-8",
    )
    return folder


def test_every_row_that_cannot_be_used_is_named_with_its_place(tmp_path: Path) -> None:
    rows = mined(tmp_path / "out", hostile(tmp_path / "in"))
    assert malformed(tmp_path / "out") == [
        ("corpus", "corpus.jsonl:10", "bad_span"),
        ("corpus", "corpus.jsonl:3", "duplicate_id"),
        ("corpus", "corpus.jsonl:4", "empty_content"),
        ("corpus", "corpus.jsonl:5", "outside_media_root"),
        ("corpus", "corpus.jsonl:6", "outside_media_root"),
        ("corpus", "corpus.jsonl:7", "bad_url"),
        ("corpus", "corpus.jsonl:8", "two_media"),
        ("corpus", "corpus.jsonl:9", "bad_span"),
        ("queries", "q3", "no_positive_given"),
        ("queries", "q8", "no_positive_given"),
        ("queries", "queries.jsonl:10", "bad_value"),
        ("queries", "queries.jsonl:11", "bad_utf8"),
        ("queries", "queries.jsonl:2", "duplicate_id"),
        ("queries", "queries.jsonl:3", "empty_content"),
        ("queries", "queries.jsonl:5", "bad_utf8"),
        ("queries", "queries.jsonl:6", "bad_json"),
        ("queries", "queries.jsonl:7", "bad_json"),
        ("queries", "queries.jsonl:8", "missing_id"),
        ("queries", "queries.jsonl:9", "bad_id"),
        ("relevance", "q1", "contradiction"),
        ("relevance", "qrels/train.tsv:10", "unknown_document"),
        ("relevance", "qrels/train.tsv:11", "unknown_query"),
        ("relevance", "qrels/train.tsv:13", "bad_row"),
        ("relevance", "qrels/train.tsv:8", "bad_score"),
        ("relevance", "qrels/train.tsv:9", "missing_id"),
    ]
    assert [r["query_id"] for r in rows["train"]] == ["q1", "q7"]
    assert all(r["detail"].startswith("queries.jsonl:") for r in rows["rejected"])
    lost = {r["query_id"] for r in rows["rejected"]}
    assert lost == {
        "q2", "q3", "q5", "q6", "q8", "queries.jsonl:2", "queries.jsonl:5", "queries.jsonl:6", "queries.jsonl:7",
        "queries.jsonl:8", "queries.jsonl:9",
    }  # fmt: skip
    row = rows["train"][0]
    assert [p["doc_id"] for p in row["positives"]] == ["d1"]
    assert {n["doc_id"]: n["source"] for n in row["negatives"]} == {"d2": "given", "10": "given"}


def test_a_summary_counts_what_could_not_be_used(tmp_path: Path) -> None:
    result = mine(tmp_path / "out", hostile(tmp_path / "in"))
    said = result.summary
    assert said["queries"] == 13 == result.counts.rows_in
    assert said["rejected"]["no_positive_given"] == 2
    assert said["malformed"]["relevance"] == {
        "bad_row": 1, "bad_score": 1, "contradiction": 1, "missing_id": 1, "unknown_document": 1, "unknown_query": 1,
    }  # fmt: skip
    assert said["repeated"] == {"relevance": 1}


def test_unchanged_files_are_not_read_again_and_changed_ones_are(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    json_lines(path, [{"query": "red", "pos": ["red pink"], "neg": ["blue"]}])
    first = mine(tmp_path / "out", path)
    assert mine(tmp_path / "out", path).reused
    json_lines(path, [{"query": "red", "pos": ["red pink"], "neg": ["green blue"]}])
    again = mine(tmp_path / "out", path)
    assert not again.reused
    assert first.folder == again.folder


def test_pairs_without_ids_are_one_item_a_content(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    json_lines(
        path,
        [
            {
                "anchor": "red",
                "positive": "red pink",
                "negative_1": "blue",
                "negative_2": "green",
                "negative_10": "grey",
            },
            {"anchor": "Red.", "positive": "pink  RED"},
            {"anchor": "blue", "positive": "Red Pink"},
        ],
    )
    rows = mined(tmp_path / "out", path, instruction="Find it.")
    (red,) = [r for r in rows["train"] if r["query"]["text"] == "red"]
    assert [p["content"]["text"] for p in red["positives"]] == ["red pink", "pink  RED"]
    assert {n["content"]["text"] for n in red["negatives"]} == {"blue", "green", "grey"}
    assert red["instruction"] == "Find it."
    assert len(rows["train"]) + len(rows["rejected"]) == 2


def test_rows_of_pairs_that_cannot_be_used_end_in_rejected(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    write(
        path,
        {"query": "red", "pos": ["red pink", "", {"text": "pink"}, 7]},
        {"query": "", "pos": ["red"]},
        {"query": ["red", "blue"], "pos": ["red"]},
        {"query": "green", "pos": []},
        {"query": "grey", "pos": [None, " "]},
        b"\xff",
        {"query": "blue", "pos": "blue", "neg": {"image": "../a.png"}},
    )
    rows = mined(tmp_path / "out", path)
    assert {r["query"]["text"] for r in rows["train"]} == {"blue", "red"}
    assert {(r["query_id"][:6], r["reason"]) for r in rows["rejected"]} >= {
        ("pairs.", "empty_content"), ("pairs.", "bad_row"), ("pairs.", "bad_utf8"),
    }  # fmt: skip
    assert len(rows["rejected"]) == 5
    assert ("corpus", "pairs.jsonl:1 positive 2", "empty_content") in malformed(tmp_path / "out")
    assert ("corpus", "pairs.jsonl:7", "outside_media_root") in malformed(tmp_path / "out")


def test_bad_utf8_in_a_parquet_cell_costs_its_item_alone(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\3\0\0\0\4\0\0\0"), pa.py_buffer(b"red\xff")]
    )
    table = pa.table({"query": ["red", "blue"], "positive": ["red pink", "blue"], "negative": bad})
    pq.write_table(table, tmp_path / "n.parquet")
    assert len(mined(tmp_path / "n", tmp_path / "n.parquet")["train"]) == 2
    assert malformed(tmp_path / "n") == [("corpus", "n.parquet row 1", "bad_utf8")]
    pq.write_table(pa.table({"query": bad, "positive": ["red pink", "blue"]}), tmp_path / "p.parquet")
    rows = mined(tmp_path / "out", tmp_path / "p.parquet")
    assert [r["query"]["text"] for r in rows["train"]] == ["red"]
    assert [(r["query_id"], r["reason"]) for r in rows["rejected"]] == [("p.parquet row 1", "bad_utf8")]


def test_a_cut_off_file_is_named_with_the_fix(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"query": "red", "pos": ["pink"]}\n' * 1000)
    (tmp_path / "pairs.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"pairs\.jsonl\.gz cannot be read.*damaged or cut off"):
        mine(tmp_path / "out", tmp_path / "pairs.jsonl.gz")
    (tmp_path / "p.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match=r"p\.parquet cannot be read"):
        mine(tmp_path / "out", tmp_path / "p.parquet")
    assert not (tmp_path / "out" / "datasets").exists()


def test_several_folders_are_mined_each_within_its_own_corpus_or_across(tmp_path: Path) -> None:
    for name, text in (("one", "red"), ("two", "blue")):
        json_lines(tmp_path / "in" / name / "train.jsonl", [{"query": text, "pos": [f"{text} pink"], "neg": ["green"]}])
    own = mined(tmp_path / "out", tmp_path / "in")["train"]
    assert [(r["query_id"].split("/")[0], r["task_type"]) for r in own] == [("one", "one"), ("two", "two")]
    for row in own:
        assert {n["doc_id"].split("/")[0] for n in row["negatives"]} == {row["task_type"]}
    across = mined(tmp_path / "out", tmp_path / "in", whole_corpus=True)["train"]
    assert {n["doc_id"].split("/")[0] for n in across[0]["negatives"]} == {"one", "two"}


def test_task_types_of_a_column_have_their_own_corpora_and_instructions(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"task_type": "a", "instruction": "Find a.", "query": "red", "pos": ["red pink"], "neg": ["blue"]},
        {"task_type": "b", "instruction": "Find b.", "query": "red", "pos": ["red green"], "neg": ["blue"]},
    ]
    json_lines(tmp_path / "p.jsonl", rows)
    found = mined(tmp_path / "out", tmp_path / "p.jsonl")["train"]
    assert {r["task_type"]: r["instruction"] for r in found} == {"a": "Find a.", "b": "Find b."}
    assert all(len(r["negatives"]) == 1 for r in found)
    json_lines(tmp_path / "p.jsonl", [*rows, {**rows[0], "instruction": "Find c."}])
    with pytest.raises(DataError, match=r"p\.jsonl:3: task type 'a' has the instructions 'Find a\.' and 'Find c\.'"):
        mine(tmp_path / "out", tmp_path / "p.jsonl")


def test_a_split_is_chosen_or_asked_for(tmp_path: Path) -> None:
    for split in ("test", "dev"):
        parquet(tmp_path / "in" / f"{split}-00000-of-00001.parquet", [{"query": f"red {split}", "positive": "red"}])
    with pytest.raises(UsageError, match=r"has the splits dev, test; name one: --split dev"):
        mine(tmp_path / "out", tmp_path / "in")
    rows = mined(tmp_path / "out", tmp_path / "in", split="test")
    assert [r["query"]["text"] for r in rows["train"]] == ["red test"]
    with pytest.raises(UsageError, match=r"no split 'train', there are dev, test"):
        mine(tmp_path / "out", tmp_path / "in", split="train")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no data set; name a folder with dataset.json"),
        ({"queries.jsonl": b"", "corpus.jsonl": b""}, "no judgements; add .*qrels"),
        ({"queries.jsonl": b""}, "has queries, but no corpus; add"),
        ({"a.jsonl": b'{"x": 1}\n'}, r"no column of the query; there are x: say which it is with --column query=NAME"),
        ({"README.md": b"#"}, "holds no data set"),
    ],
)
def test_what_is_no_data_set_is_named_with_the_fix(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    (tmp_path / "in").mkdir()
    for name, data in files.items():
        (tmp_path / "in" / name).write_bytes(data)
    with pytest.raises(UsageError, match=message):
        mine(tmp_path / "out", tmp_path / "in")


def test_a_data_set_of_which_nothing_is_left_says_why(tmp_path: Path) -> None:
    json_lines(tmp_path / "p.jsonl", [{"query": "", "pos": ["red"]}])
    with pytest.raises(DataError, match=r"none of its queries can be used \(empty_content 1\)"):
        mine(tmp_path / "out", tmp_path / "p.jsonl")


def test_columns_of_other_names_are_told(tmp_path: Path) -> None:
    json_lines(tmp_path / "p.jsonl", [{"caption": "red", "target": "pink red"}])
    rows = mined(tmp_path / "out", tmp_path / "p.jsonl", columns={"query": "caption", "positive": "target"})["train"]
    assert rows[0]["positives"][0]["content"]["text"] == "pink red"
    with pytest.raises(UsageError, match="there is no column 'no' for positive; there are"):
        mine(tmp_path / "out", tmp_path / "p.jsonl", columns={"query": "caption", "positive": "no"})


@pytest.mark.parametrize(
    ("path", "name", "result"),
    [("a b/ü x.jsonl.gz", None, "x"), ("data.v1.csv", None, "data.v1"), ("p", "mine-1", "mine-1")],
)
def test_the_result_has_a_safe_name(tmp_path: Path, path: str, name: str | None, result: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    assert DataSet(file, name=name).result == result


@pytest.mark.parametrize("name", ["../x", "", ".x", "a/b", "x\0"])
def test_an_unsafe_name_is_refused(tmp_path: Path, name: str) -> None:
    json_lines(tmp_path / "p.jsonl", [{"query": "red", "pos": ["red"]}])
    with pytest.raises(UsageError, match="is no folder name"):
        mine(tmp_path / "out", tmp_path / "p.jsonl", name=name)


def test_a_name_of_a_synthesised_task_is_refused(tmp_path: Path) -> None:
    json_lines(tmp_path / "p.jsonl", [{"query": "red", "pos": ["red"]}])
    (tmp_path / "out" / "synth" / "image_qa").mkdir(parents=True)
    with pytest.raises(UsageError, match="has a task 'image_qa', whose result this would replace; add --name"):
        mine(tmp_path / "out", tmp_path / "p.jsonl", name="image_qa")


def test_another_data_set_of_the_same_name_does_not_replace_a_result(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        json_lines(tmp_path / folder / "p.jsonl", [{"query": "red", "pos": [f"red {folder}"]}])
    mine(tmp_path / "out", tmp_path / "a" / "p.jsonl")
    with pytest.raises(UsageError, match=r"is the result of .*a/p\.jsonl; add --name, or --overwrite to replace it"):
        mine(tmp_path / "out", tmp_path / "b" / "p.jsonl")
    mine(tmp_path / "out", tmp_path / "b" / "p.jsonl", name="other")
    mine(tmp_path / "out", tmp_path / "b" / "p.jsonl", overwrite=True)


def test_batches_and_shards_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hostile(tmp_path / "in")
    whole = mined(tmp_path / "whole", path), malformed(tmp_path / "whole")
    monkeypatch.setattr(prepare, "ROWS", 3)
    monkeypatch.setattr(judged_pairs, "AT_ONCE", 2)
    monkeypatch.setattr(shards, "ROWS_PER_SHARD", 2)
    assert (mined(tmp_path / "parts", path), malformed(tmp_path / "parts")) == whole
    assert len(list((tmp_path / "parts" / "datasets" / "same" / "corpus").glob("part-*.parquet"))) > 1


def test_pairs_beside_a_retrieval_data_set_still_share_their_contents(tmp_path: Path) -> None:
    pairs = [{"query": "red", "pos": ["red pink"]}, {"query": "red", "pos": ["red pink", "pink"]}]
    json_lines(tmp_path / "in" / "pairs" / "p.jsonl", pairs)
    beir = tmp_path / "in" / "beir"
    json_lines(beir / "queries.jsonl", [{"_id": "q", "text": "blue"}])
    json_lines(beir / "corpus.jsonl", [{"_id": "d", "text": "blue"}, {"_id": "d", "text": "blue"}])
    json_lines(beir / "qrels.jsonl", [{"query-id": "q", "corpus-id": "d"}])
    rows = mined(tmp_path / "out", tmp_path / "in")
    assert [len(r["positives"]) for r in rows["train"]] == [1, 2]
    assert rows["rejected"] == []
    assert malformed(tmp_path / "out") == [("corpus", "beir/corpus.jsonl:2", "duplicate_id")]
