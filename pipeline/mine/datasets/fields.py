"""Which column of somebody's file says what: the names that people use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UsageError
from pipeline.mine.datasets.records import JSON_SUFFIXES, SourceFile

REMEMBERED = 1000  # sets of keys

# In the order of preference; compared without case, and with `-` as `_`.
QUERY_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("_id", "id", "query_id", "qid"),
    "text": ("text", "query", "question", "query_text", "contents"),
    "image": ("image", "image_path", "query_image", "img"),
    "video": ("video", "video_path", "query_video"),
    "start_s": ("start_s",),
    "end_s": ("end_s",),
    "instruction": ("instruction", "prompt"),
    "task_type": ("task_type",),
    "language": ("language", "lang"),
}
CORPUS_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("_id", "id", "doc_id", "docid", "corpus_id", "pid"),
    "title": ("title",),
    "text": ("text", "contents", "content", "body", "passage", "document"),
    "image": ("image", "image_path", "img"),
    "video": ("video", "video_path"),
    "start_s": ("start_s",),
    "end_s": ("end_s",),
    "task_type": ("task_type",),
    "language": ("language", "lang"),
}
QRELS_NAMES: dict[str, tuple[str, ...]] = {
    "query": ("query_id", "qid", "query", "topic"),
    "document": ("corpus_id", "doc_id", "docid", "pid", "document_id"),
    "score": ("score", "relevance", "rel", "label", "grade"),
}
PAIR_NAMES: dict[str, tuple[str, ...]] = {
    "query_id": ("query_id", "qid"),
    "query": ("query", "anchor", "question", "query_text", "qry", "sentence1"),
    "query_image": ("query_image", "query_image_path", "qry_image_path", "anchor_image"),
    "query_video": ("query_video", "query_video_path", "qry_video_path", "anchor_video"),
    "positive_id": ("positive_id", "positive_ids", "pos_id", "pos_ids", "positive_document_ids"),
    "positive": ("positive", "positives", "pos", "pos_text", "positive_text", "positive_passages", "passage", "answer",
                 "document", "response", "sentence2"),
    "positive_image": ("positive_image", "positive_images", "pos_image_path", "pos_image"),
    "positive_video": ("positive_video", "positive_videos", "pos_video_path", "pos_video"),
    "negative_id": ("negative_id", "negative_ids", "neg_id", "neg_ids", "negative_document_ids"),
    "negative": ("negative", "negatives", "neg", "neg_text", "negative_text", "negative_passages", "hard_negative",
                 "hard_negatives"),
    "negative_image": ("negative_image", "negative_images", "neg_image_path", "neg_image"),
    "negative_video": ("negative_video", "negative_videos", "neg_video_path", "neg_video"),
    "score": ("score", "relevance", "label"),
    "instruction": ("instruction", "prompt"),
    "task_type": ("task_type",),
    "language": ("language", "lang"),
}  # fmt: skip


def folded(name: str) -> str:
    """A column's name as it is compared."""
    return name.strip().lower().replace("-", "_")


@dataclass(frozen=True)
class Fields:
    """The columns that say something, by what they say. A negative may fill several: `negative_1`, `negative_2`."""

    of: Mapping[str, tuple[str, ...]]

    @classmethod
    def found(cls, columns: Iterable[str], names: Mapping[str, tuple[str, ...]], told: Mapping[str, str]) -> Fields:
        """Find the columns of a file by `told` (field: column), else by `names`.

        Raises UsageError when a column that is told is not there.
        """
        have = {folded(c): c for c in reversed(list(columns))}
        found: dict[str, tuple[str, ...]] = {}
        for what, usual in names.items():
            column = told.get(what)
            if column is not None:
                if column not in have.values():
                    raise UsageError(f"there is no column {column!r} for {what}; there are {', '.join(have.values())}")
                found[what] = (column,)
                continue
            first = next((have[n] for n in usual if n in have and have[n] not in told.values()), None)
            numbered = _numbered(have, usual) if what.startswith("negative") else ()
            if first is not None or numbered:
                found[what] = (*([] if first is None else [first]), *numbered)
        return cls(found)

    @property
    def columns(self) -> list[str]:
        """All of them."""
        return [c for columns in self.of.values() for c in columns]

    def one(self, what: str) -> str | None:
        """The column that says `what`; None where there is none."""
        return self.of.get(what, (None,))[0]


class FieldsOfRows:
    """The columns of each row: those of the file, but of JSON lines, where each has keys of its own, the row's."""

    def __init__(self, file: SourceFile, names: Mapping[str, tuple[str, ...]], told: Mapping[str, str]) -> None:
        """Raises UsageError when a column that is told is not there, DataError when the file cannot be read."""
        self.all = file.columns()
        self.whole = Fields.found(self.all, names, told)
        self.names, self.told, self.varies = names, told, file.suffix in JSON_SUFFIXES
        self.known: dict[tuple[str, ...], Fields] = {}

    def of(self, row: Mapping[str, Any]) -> Fields:
        """The columns of a row."""
        if not self.varies:
            return self.whole
        keys = tuple(row)
        if keys not in self.known:
            if len(self.known) >= REMEMBERED:
                self.known.clear()
            told = {what: column for what, column in self.told.items() if column in row}
            self.known[keys] = Fields.found(keys, self.names, told)
        return self.known[keys]


def _numbered(have: Mapping[str, str], usual: Iterable[str]) -> tuple[str, ...]:
    """`negative_1`, `negative_2`: in the order of their numbers."""
    numbers = []
    for name, column in have.items():
        stem, _, number = name.rpartition("_")
        if stem in usual and number.isdecimal():
            numbers.append((int(number), column))
    return tuple(column for _, column in sorted(numbers))
