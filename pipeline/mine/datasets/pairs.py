"""Pairs and triplets: each row holds a query, its positives and perhaps negatives; equal contents are one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.errors import UsageError
from pipeline.mine.datasets.fields import PAIR_NAMES, Fields, FieldsOfRows
from pipeline.mine.datasets.items import (
    MEDIA,
    Content,
    Item,
    Judgement,
    UnusableError,
    grade,
    hashed,
    identifier,
    optional_text,
)
from pipeline.mine.datasets.layouts import Pairs
from pipeline.mine.datasets.records import Record, SourceFile
from pipeline.mine.datasets.source import Cell, Reading, content_of

SIDES = ("positive", "negative")
_TOLD = ("task_type", "language", "instruction")


@dataclass(frozen=True)
class PairsSource:
    """Rows of pairs. What has no id is named by a hash of its content, task type and language."""

    layout: Pairs
    reading: Reading

    @cached_property
    def _fields(self) -> dict[str, FieldsOfRows]:
        """The columns of each file, by URI. Raises UsageError when a query or its positives are missing."""
        found = {}
        for file in self.layout.files:
            fields = FieldsOfRows(file, PAIR_NAMES, self.reading.columns)
            for what in ("query", "positive"):
                if all(fields.whole.one(f) is None for f in _columns_of(what).values()):
                    raise UsageError(
                        f"{file.path} has no column of the {what}; there are {', '.join(fields.all) or 'none'}: "
                        f"say which it is with --column {what}=NAME (or {what}_image=NAME, {what}_video=NAME)"
                    )
            found[file.uri] = fields
        return found

    def _records(self, *whats: str) -> Iterator[tuple[SourceFile, Fields, Record]]:
        for file in self.layout.files:
            fields = self._fields[file.uri]
            wanted = [c for w, columns in fields.whole.of.items() if w.startswith((*whats, *_TOLD)) for c in columns]
            for record in file.records(wanted):
                yield file, fields.of(record.row or {}), record

    def queries(self) -> Iterator[Item]:
        for file, fields, record in self._records("query"):
            yield self._query(file, fields, record)

    def corpus(self) -> Iterator[Item]:
        for file, fields, record in self._records(*SIDES):
            if record.row is not None:  # a broken row is the query's reject
                for side in SIDES:
                    yield from self._side(file, fields, record, side)

    def judgements(self) -> Iterator[Judgement]:
        for file, fields, record in self._records("query", "score", *SIDES):
            if record.row is not None:
                yield from self._judged(file, fields, record)

    def _judged(self, file: SourceFile, fields: Fields, record: Record) -> Iterator[Judgement]:
        row, column = record.row or {}, fields.one("score")
        query = self._query(file, fields, record)
        try:
            relevant = True if column is None else grade(row.get(column), record.where)
        except UnusableError as error:
            yield Judgement(query.id, "", record.where, verdict=error.verdict)
            return
        for side in SIDES:
            for document in self._side(file, fields, record, side):
                if document.verdict is None and query.verdict is None:
                    yield Judgement(query.id, document.id, document.where, relevant and side == "positive")

    def _query(self, file: SourceFile, fields: Fields, record: Record) -> Item:
        if record.row is None:
            return Item(record.where, record.where, verdict=record.problem)
        found = self._side(file, fields, record, "query")
        if not found:
            empty = ("empty_content", f"{record.where} has no text, picture or video of the query")
            return Item(record.where, record.where, verdict=empty)
        if len(found) > 1:
            several = ("bad_row", f"{record.where} holds {len(found)} queries; give each a row of its own")
            return Item(record.where, record.where, verdict=several)
        return found[0]

    def _side(self, file: SourceFile, fields: Fields, record: Record, side: str) -> list[Item]:
        """The items of a row on one side: as many as its lists are long."""
        row, where = record.row or {}, record.where
        try:
            told = {k: optional_text(row.get(c), where) if (c := fields.one(k)) else None for k in _TOLD}
            cells = self._cells(fields, row, side, where)
        except UnusableError as error:
            return [Item(where, where, verdict=error.verdict)]
        if not cells and side == "positive":
            return [
                Item(where, where, verdict=("empty_content", f"{where} has no text, picture or video of the positive"))
            ]
        items = []
        for i, values in enumerate(cells):
            place = where if len(cells) == 1 else f"{where} {side} {i + 1}"
            try:
                columns = {medium: str(values.pop(f"column of {medium}", medium)) for medium in MEDIA}
                alone = values.pop("alone")
                cell = Cell(place, Cell.of(file, record).uri if alone else None)
                given = values.pop("id")
                content = content_of(values, columns, cell, self.reading)
                name = _hash_of(side, content, told) if given is None else identifier(given, f"{side} id", place)
                items.append(Item(name, place, content, told["task_type"], told["language"], told["instruction"], True))
            except UnusableError as error:
                items.append(Item(place, place, verdict=error.verdict))
        return items

    def _cells(self, fields: Fields, row: dict[str, Any], side: str, where: str) -> list[dict[str, Any]]:
        """The values of each item of a side, from columns whose cells are one value or a list of them."""
        lists: dict[str, list[tuple[Any, str, bool]]] = {}
        for what, field in _columns_of(side).items():
            found = [e for column in fields.of.get(field, ()) for e in _entries(row.get(column), column)]
            if found:
                lists[what] = found
        ids = [v for column in fields.of.get(f"{side}_id", ()) for v, *_ in _entries(row.get(column), column)]
        n = max((len(entries) for entries in lists.values()), default=0)
        for what, length in [
            *((w, len(entries)) for w, entries in lists.items()),
            *([("id", len(ids))] if ids else []),
        ]:
            if length != n:
                detail = f"{where}: {length} values of {side} {what}, {n} of the others; give one for each"
                raise UnusableError("bad_row", detail)
        return [_values(lists, ids, i) for i in range(n)]


def _values(lists: dict[str, list[tuple[Any, str, bool]]], ids: Sequence[Any], i: int) -> dict[str, Any]:
    values: dict[str, Any] = {"id": ids[i] if ids else None, "alone": True}
    for what, entries in lists.items():
        value, column, alone = entries[i]
        values["alone"] = values["alone"] and alone
        if what == "text" and isinstance(value, dict):  # a content as an object: {"text": …, "image": …}
            values |= {k: value.get(k) for k in (*MEDIA, "start_s", "end_s") if value.get(k) is not None}
            if value.get("title"):
                values["text"] = f"{value['title']} {value.get('text') or ''}".strip()
            if "id" not in values or values["id"] is None:
                values["id"] = value.get("docid", value.get("doc_id", value.get("query_id")))
            values["alone"] = False
        else:
            values[what] = value
            values[f"column of {what}"] = column
    return values


def _entries(cell: Any, column: str) -> list[tuple[Any, str, bool]]:
    """The values in a cell, with its column, and whether it is the only one; empty ones count for nothing."""
    if isinstance(cell, list):
        return [(value, column, False) for value in cell if value is not None]
    return [] if cell is None or cell == "" else [(cell, column, True)]


def _columns_of(side: str) -> dict[str, str]:
    return {"text": side, "image": f"{side}_image", "video": f"{side}_video"}


def _hash_of(side: str, content: Content, told: dict[str, str | None]) -> str:
    kind = [told["task_type"], told["language"], told["instruction"]]
    return f"{'q' if side == 'query' else 'd'}{hashed(kind, content.key())}"
