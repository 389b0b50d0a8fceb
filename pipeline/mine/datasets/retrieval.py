"""BEIR and MTEB: queries and documents with ids, and judgements that name both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import DataError
from pipeline.mine.datasets.fields import CORPUS_NAMES, QRELS_NAMES, QUERY_NAMES, Fields, FieldsOfRows
from pipeline.mine.datasets.items import Item, Judgement, UnusableError, grade, identifier, optional_text
from pipeline.mine.datasets.layouts import Retrieval
from pipeline.mine.datasets.records import Record, SourceFile
from pipeline.mine.datasets.source import Cell, Reading, content_of

# Of a file without a header: BEIR's three columns, and TREC's four.
UNNAMED = {3: ("query_id", "corpus_id", "score"), 4: ("query_id", "iteration", "corpus_id", "score")}


@dataclass(frozen=True)
class RetrievalSource:
    """A corpus, its queries and their judgements. An id that stands twice is a mistake."""

    layout: Retrieval
    reading: Reading

    def queries(self) -> Iterator[Item]:
        for file in self.layout.queries:
            yield from self._items(file, QUERY_NAMES, "query id")

    def corpus(self) -> Iterator[Item]:
        for file in self.layout.corpus:
            yield from self._items(file, CORPUS_NAMES, "document id")

    def _items(self, file: SourceFile, names: Mapping[str, tuple[str, ...]], what: str) -> Iterator[Item]:
        rows = FieldsOfRows(file, names, {})
        fields = rows.whole
        if fields.one("id") is None:
            raise DataError(f"{file.path} has no column of ids; call it {names['id'][0]!r}")
        if all(fields.one(medium) is None for medium in ("text", "image", "video")):
            raise DataError(f"{file.path} has no column of contents; call it 'text', 'image' or 'video'")
        for record in file.records(fields.columns):
            yield self._item(record, rows.of(record.row or {}), file, what)

    def _item(self, record: Record, fields: Fields, file: SourceFile, what: str) -> Item:
        if record.row is None:
            return Item(record.where, record.where, verdict=record.problem)
        columns = {field: names[0] for field, names in fields.of.items()}
        values = {field: record.row.get(column) for field, column in columns.items()}
        name = record.where
        try:
            name = identifier(values.get("id"), what, record.where)
            if title := optional_text(values.get("title"), record.where):
                # As BEIR's own loaders do.
                values["text"] = f"{title} {optional_text(values.get('text'), record.where) or ''}".strip()
            content = content_of(values, columns, Cell.of(file, record), self.reading)
            told = {k: optional_text(values.get(k), record.where) for k in ("task_type", "language", "instruction")}
            return Item(name, record.where, content, told["task_type"], told["language"], told["instruction"])
        except UnusableError as error:
            return Item(name, record.where, verdict=error.verdict)

    def judgements(self) -> Iterator[Judgement]:
        for file in self.layout.qrels:
            columns = file.columns()
            fields = Fields.found(columns, QRELS_NAMES, {})
            header = None
            if fields.one("query") is None and file.suffix in (".tsv", ".csv"):
                header = UNNAMED.get(len(columns))
                fields = Fields.found(header or (), QRELS_NAMES, {})
            if fields.one("query") is None or fields.one("document") is None:
                raise DataError(f"{file.path} does not say which column is what; call them query-id, corpus-id, score")
            for record in file.records(fields.columns, header):
                yield _judgement(record, fields)


def _judgement(record: Record, fields: Fields) -> Judgement:
    if record.row is None:
        return Judgement("", "", record.where, verdict=record.problem)
    values: dict[str, Any] = {what: record.row.get(names[0]) for what, names in fields.of.items()}
    query, document = "", ""
    try:
        query = identifier(values["query"], "query id", record.where)
        document = identifier(values["document"], "document id", record.where)
        # A list without grades names what is relevant.
        relevant = grade(values["score"], record.where) if "score" in values else True
        return Judgement(query, document, record.where, relevant)
    except UnusableError as error:
        return Judgement(query, document, record.where, verdict=error.verdict)
