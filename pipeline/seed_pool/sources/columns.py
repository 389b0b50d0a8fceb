"""Which column of somebody's table says what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.config import SourceSettings
from pipeline.errors import UsageError
from pipeline.media.told import clean, joined
from pipeline.seed_pool.sources.rows import KNOWN

# Names that people use, in the order of preference; lower case.
NAMES: dict[str, tuple[str, ...]] = {
    "uri": ("uri", "path", "file", "file_path", "filepath", "image_path", "video_path", "file_name", "filename",
            "image", "video", "url", "image_url", "video_url"),
    "source_caption": ("source_caption", "caption", "captions", "text", "alt_text", "alt", "description", "title"),
    "given_label": ("given_label", "label", "class", "class_name", "category"),
    "licence": ("licence", "license", "rights"),
    "author": ("author", "artist", "creator", "photographer", "credit"),
    "origin": ("origin", "source", "url", "page_url", "homepage"),
    "source_language": ("source_language", "caption_language", "language", "lang"),
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """The columns of a table that are read."""

    place: str | None  # of the path or URL
    of: dict[str, str]  # by name of KNOWN
    classes: dict[str, tuple[str, ...]]  # names of a Hugging Face ClassLabel, by column

    @classmethod
    def of_schema(cls, schema: pa.Schema, settings: SourceSettings, medium: str | None = None) -> Columns:
        """Find the columns by the names of `settings`, else by NAMES.

        medium: the column that holds the media themselves, where there is one: no path is read then.
        Raises UsageError when a column that the settings name is not there.
        """
        lower = {name.lower(): name for name in reversed(schema.names)}
        found: dict[str, str] = {}
        for what, names in NAMES.items():
            named = getattr(settings.columns, what)
            if named is not None and named not in schema.names:
                raise UsageError(f"there is no column {named!r} for {what}; there are {', '.join(schema.names)}")
            guessed = next((lower[n] for n in names if n in lower and _text_like(schema.field(lower[n]).type)), None)
            if column := named or guessed:
                found[what] = column
        place = found.pop("uri", None) if medium is None else None
        found.pop("uri", None)
        if place is not None and found.get("origin") == place:
            found.pop("origin", None)
        return cls(place, found, _class_names(schema))

    @property
    def names(self) -> set[str]:
        """All columns that are read."""
        return {*self.of.values(), *([] if self.place is None else [self.place])}

    def known(self, row: dict[str, Any]) -> dict[str, str | None]:
        """The values of KNOWN in a row; empty text counts as none."""
        return {what: self._text(row.get(self.of.get(what, "")), self.of.get(what, "")) for what in KNOWN}

    def _text(self, value: Any, column: str) -> str | None:
        classes = self.classes.get(column)
        if classes is not None and isinstance(value, int):
            value = classes[value] if 0 <= value < len(classes) else None
        return _told(value)


def known_of_record(record: Mapping[str, Any]) -> dict[str, str]:
    """The values of KNOWN in a JSON object somebody wrote, by NAMES; lists of texts are joined."""
    lower = {key.lower(): record[key] for key in reversed(list(record))}
    found = {what: next((t for n in NAMES[what] if (t := _told(lower.get(n)))), None) for what in KNOWN}
    return {what: text for what, text in found.items() if text is not None}


def _told(value: Any) -> str | None:
    if isinstance(value, list):
        return joined([v for v in value if isinstance(v, str)])
    return clean(value)


def _text_like(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _text_like(kind.value_type)
    strings = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer)
    return any(is_one(kind) for is_one in strings)


def _class_names(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """Names of the classes of ClassLabel columns, as `datasets` writes them into the schema's metadata."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {c: tuple(map(str, f["names"])) for c, f in features.items() if f.get("_type") == "ClassLabel"}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
