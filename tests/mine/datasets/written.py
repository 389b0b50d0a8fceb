"""One (Q, C, R) in each format that people keep data sets in."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Grades = dict[tuple[str, str], int]  # by query id and document id


@dataclass(frozen=True)
class Data:
    """Texts by id, and grades; every document that a format of pairs can hold is judged."""

    queries: dict[str, str]
    corpus: dict[str, str]
    grades: Grades

    def of(self, query: str, relevant: bool) -> list[str]:
        return sorted(d for (q, d), grade in self.grades.items() if q == query and (grade > 0) is relevant)


def json_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.write(text)
    else:
        path.write_text(text, encoding="utf-8")


def parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def saved(folder: Path, rows: list[dict[str, Any]]) -> None:
    """What `Dataset.save_to_disk` writes: Arrow streams, and a state that names them."""
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    with (
        pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as out,
    ):
        out.write_table(table, max_chunksize=3)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    (folder / "dataset_info.json").write_text("{}")


def items(texts: dict[str, str], key: str) -> list[dict[str, Any]]:
    return [{key: i, "text": text} for i, text in texts.items()]


def qrels(data: Data) -> list[dict[str, Any]]:
    return [{"query-id": q, "corpus-id": d, "score": grade} for (q, d), grade in data.grades.items()]


def beir(path: Path, data: Data, packed: bool = False) -> None:
    end = ".jsonl.gz" if packed else ".jsonl"
    json_lines(path / f"queries{end}", items(data.queries, "_id"))
    json_lines(path / f"corpus{end}", items(data.corpus, "_id"))
    (path / "qrels").mkdir()
    lines = [f"{q}\t{d}\t{grade}" for (q, d), grade in data.grades.items()]
    (path / "qrels" / "train.tsv").write_text(
        "\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n", encoding="utf-8"
    )


def mteb(path: Path, data: Data) -> None:
    parquet(path / "queries" / "test-00000-of-00001.parquet", items(data.queries, "id"))
    parquet(path / "corpus" / "test-00000-of-00001.parquet", items(data.corpus, "id"))
    parquet(path / "default" / "test-00000-of-00001.parquet", qrels(data))


def saved_retrieval(path: Path, data: Data) -> None:
    for name, rows in (("queries", items(data.queries, "_id")), ("corpus", items(data.corpus, "_id"))):
        saved(path / name, rows)
    (path / "qrels").mkdir(parents=True)
    (path / "qrels" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    saved(path / "qrels" / "train", qrels(data))


def lists(data: Data, ids: bool = True) -> list[dict[str, Any]]:
    """One row a query, with lists."""
    rows = []
    for query, text in data.queries.items():
        good, bad = data.of(query, True), data.of(query, False)
        row: dict[str, Any] = {
            "query": text,
            "pos": [data.corpus[d] for d in good],
            "neg": [data.corpus[d] for d in bad],
        }
        if ids:
            row |= {"query_id": query, "positive_ids": good, "negative_ids": bad}
        rows.append(row)
    return rows


def singles(data: Data) -> list[dict[str, Any]]:
    """One row a judged pair."""
    return [
        {
            "query_id": q, "anchor": data.queries[q], "positive_id": d, "document": data.corpus[d],
            "score": float(grade),
        }
        for (q, d), grade in data.grades.items()
    ]  # fmt: skip


def table_of_text(path: Path, rows: list[dict[str, Any]], delimiter: str) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def train_folder(path: Path, data: Data) -> None:
    half = len(data.queries) // 2
    rows = lists(data)
    parquet(path / "train-00000-of-00002.parquet", rows[:half] or rows)
    parquet(path / "train-00001-of-00002.parquet", rows[half:])
    parquet(path / "test-00000-of-00001.parquet", [{**rows[0], "query_id": "of the test", "query": "held out"}])


FORMATS: dict[str, Callable[[Path, Data], None]] = {
    "beir": beir,
    "beir gz": lambda path, data: beir(path, data, packed=True),
    "mteb": mteb,
    "saved retrieval": saved_retrieval,
    "saved pairs": lambda path, data: saved(path, singles(data)),
    "lists.jsonl": lambda path, data: json_lines(path, lists(data)),
    "lists.jsonl.gz": lambda path, data: json_lines(path, lists(data)),
    "lists.parquet": lambda path, data: parquet(path, lists(data)),
    "pairs.parquet": lambda path, data: parquet(path, singles(data)),
    "pairs.csv": lambda path, data: table_of_text(path, singles(data), ","),
    "pairs.tsv": lambda path, data: table_of_text(path, singles(data), "\t"),
    "splits": train_folder,
}
