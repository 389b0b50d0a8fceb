from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.config import Config
from pipeline.errors import DataError, UsageError
from pipeline.mine import inputs
from pipeline.mine.inputs import choose_tasks, read_task
from pipeline.mine.recipe import MineOptions, mine_negatives
from pipeline.store.shards import read_dataset
from tests.mine.loop import Loop, Silent
from tests.mine.planted import Colours, Row, write_task

QUERIES: list[Row] = [{"query_id": "q1", "text": "red"}, {"query_id": "q0", "text": "blue"}]
CORPUS: list[Row] = [{"doc_id": "d2", "text": "two"}, {"doc_id": "d1", "text": "one"}]
RELEVANCE: list[Row] = [
    {"query_id": "q0", "doc_id": "d2"},
    {"query_id": "q0", "doc_id": "d1", "relevance": 0, "source": "given"},
    {"query_id": "q1", "doc_id": "d1"},
]


def test_documents_stand_in_order_of_id_and_queries_as_on_disk(tmp_path: Path) -> None:
    write_task(tmp_path, "t", QUERIES, CORPUS, RELEVANCE, media_root=Path("/media"), in_batch_negatives=False)
    task = read_task(tmp_path / "synth" / "t", None)
    assert task.corpus.column("doc_id").to_pylist() == ["d1", "d2"]
    assert task.queries.column("query_id").to_pylist() == ["q1", "q0"]
    assert task.judgements.positives.values.tolist() == [0, 1]  # q1: d1, q0: d2
    assert task.judgements.negatives.offsets.tolist() == [0, 0, 1]
    sources = task.judgements.source_of(task.judgements.positives.rows, task.judgements.positives.values)
    assert sources.to_pylist() == ["synth", "synth"]
    assert (task.media_root, task.in_batch_negatives) == ("/media", False)
    assert read_task(tmp_path / "synth" / "t", "/moved").media_root == "/moved"


@pytest.mark.parametrize(
    ("queries", "corpus", "relevance", "message"),
    [
        ([*QUERIES, QUERIES[0]], CORPUS, RELEVANCE, "'q1' stands in more than one row"),
        (QUERIES, [*CORPUS, CORPUS[0]], RELEVANCE, "'d2' stands in more than one row"),
        (QUERIES, CORPUS, [{"query_id": "q9", "doc_id": "d1"}], "'q9', which does not exist"),
        (QUERIES, CORPUS, [{"query_id": "q1", "doc_id": "d9"}], "'d9', which does not exist"),
        (QUERIES, CORPUS, [*RELEVANCE, RELEVANCE[0]], "1 pairs are judged twice"),
        (QUERIES, CORPUS, [{**RELEVANCE[0], "relevance": 2}], "relevance must be 0 or 1"),
        (QUERIES, CORPUS, [{**RELEVANCE[0], "source": "me"}], "source one of synth"),
        ([{**QUERIES[0], "task_type": "Odd"}], CORPUS, [], "no instruction for task type 'Odd'"),
    ],
)
def test_parts_that_contradict_each_other_are_named(
    tmp_path: Path,
    queries: list[dict[str, str]],
    corpus: list[dict[str, str]],
    relevance: list[dict[str, str]],
    message: str,
) -> None:
    write_task(tmp_path, "t", queries, corpus, relevance)
    with pytest.raises(DataError, match=message):
        read_task(tmp_path / "synth" / "t", None)


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"task": "t", "in_batch_negatives": True})])
def test_a_damaged_description_is_named(tmp_path: Path, text: str) -> None:
    write_task(tmp_path, "t", QUERIES, CORPUS, RELEVANCE)
    (tmp_path / "synth" / "t" / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset\.json"):
        read_task(tmp_path / "synth" / "t", None)


def test_undecided_pairs_are_read_checked_and_may_be_absent(tmp_path: Path) -> None:
    write_task(tmp_path, "t", QUERIES, CORPUS, RELEVANCE, undecided=[{"query_id": "q1", "doc_id": "d2"}])
    folder = tmp_path / "synth" / "t"
    known = read_task(folder, None)
    assert known.judgements.undecided.tolist() == [1]  # query 0 of two documents, document 1
    shutil.rmtree(folder / "undecided")
    without = read_task(folder, None)
    assert without.judgements.undecided.tolist() == []
    assert without.fingerprint != known.fingerprint
    write_task(tmp_path, "t", QUERIES, CORPUS, RELEVANCE, undecided=[{"query_id": "q1", "doc_id": "d9"}])
    with pytest.raises(DataError, match="undecided names doc_id 'd9'"):
        read_task(folder, None)


def test_all_tasks_are_chosen_unless_some_are_named(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_task(tmp_path, name, QUERIES, CORPUS, RELEVANCE)
    assert choose_tasks(tmp_path, []) == ["a", "b"]
    assert choose_tasks(tmp_path, ["b", "b"]) == ["b"]


def test_an_unknown_task_gets_the_known_ones_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is none; run: synth run --task all"):
        choose_tasks(tmp_path, [])
    write_task(tmp_path, "a", QUERIES, CORPUS, RELEVANCE)
    with pytest.raises(UsageError, match=r"'x'.*there are a; run: synth run --task x"):
        choose_tasks(tmp_path, ["x"])
    write_task(tmp_path, "image_qa", QUERIES, CORPUS, RELEVANCE)
    with pytest.raises(UsageError, match=r"there are a, image_qa; did you mean 'image_qa'\?"):
        choose_tasks(tmp_path, ["imag_qa"])
    assert choose_tasks(tmp_path, ["all"]) == choose_tasks(tmp_path, []) == ["a", "image_qa"]


def test_texts_of_more_than_plain_strings_hold_are_mined_to_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [{"query_id": "q", "text": "red"}]
    corpus = [{"doc_id": f"d{i}", "text": text} for i, text in enumerate(("red pink", "blue", "green", "grey"))]
    write_task(tmp_path, "t", queries, corpus, [{"query_id": "q", "doc_id": "d0"}])
    tables = []
    for limit in (1 << 30, 0):
        monkeypatch.setattr(inputs, "MOST_TEXT_BYTES", limit)
        wide = pa.types.is_large_string(read_task(tmp_path / "synth" / "t", None).corpus.schema.field("text").type)
        assert wide is (limit == 0)
        told = MineOptions("colours", overwrite=True)
        (result,) = mine_negatives(tmp_path, [], Config(), Loop(Colours()), Silent(), told)
        tables.append(read_dataset(result.folder / "train"))
    assert len(tables[0]) == 1
    assert tables[0].equals(tables[1])
