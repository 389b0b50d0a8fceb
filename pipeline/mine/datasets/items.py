"""What a row of somebody's file holds: ids, texts, media, scores. Pure functions; a bad value gives a verdict."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from pipeline.config import URL_SCHEMES
from pipeline.media.urls import is_url
from pipeline.mine.datasets.records import Undecodable
from pipeline.schemas import content_fields
from pipeline.text import normalised

Verdict = tuple[str, str]  # reason, detail
MEDIA = ("text", "image", "video")
ID_CHARS = 20  # hexadecimal digits of the hash that names a content without an id


class UnusableError(Exception):
    """A value that cannot be used; becomes a reject."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.verdict: Verdict = (reason, detail)


@dataclass(frozen=True)
class Content:
    """One query or document, as `schemas.CONTENT`."""

    text: str | None = None
    image: str | None = None
    video: str | None = None
    start_s: float | None = None
    end_s: float | None = None

    def key(self) -> list[Any]:
        """Equal for contents that are one document: texts in their normal form."""
        text = None if self.text is None else normalised(self.text)
        return [text, self.image, self.video, self.start_s, self.end_s]


@dataclass(frozen=True)
class Item:
    """A query or document of a source, or what is wrong with it (`verdict`). shared: rows of equal id and
    content are one item that several rows name, no mistake."""

    id: str
    where: str
    content: Content = field(default_factory=Content)
    task_type: str | None = None
    language: str | None = None
    instruction: str | None = None
    shared: bool = False
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Judgement:
    """What a source says of a pair, or what is wrong with it. relevant: a grade above 0."""

    query_id: str
    doc_id: str
    where: str
    relevant: bool = False
    verdict: Verdict | None = None


ITEMS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("id", "where")),
        *content_fields(),
        *(pa.field(name, pa.string()) for name in ("task_type", "language", "instruction", "reason", "detail", "key")),
        pa.field("shared", pa.bool_()),
    ]
)
JUDGEMENTS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("query_id", "doc_id", "where")),
        pa.field("relevant", pa.bool_()),
        *(pa.field(name, pa.string()) for name in ("reason", "detail")),
    ]
)


def items_table(items: list[Item]) -> pa.Table:
    """The columns ITEMS; `key` is equal for items of equal content."""
    rows: dict[str, list[Any]] = {name: [] for name in ITEMS.names}
    for item in items:
        reason, detail = item.verdict or (None, None)
        values = [item.id, item.where, *(getattr(item.content, f.name) for f in content_fields())]
        values += [
            item.task_type,
            item.language,
            item.instruction,
            reason,
            detail,
            hashed(*item.content.key()),
            item.shared,
        ]
        for column, value in zip(rows.values(), values, strict=True):
            column.append(value)
    return pa.table([pa.array(rows[f.name], f.type) for f in ITEMS], schema=ITEMS)


def judgements_table(judgements: list[Judgement]) -> pa.Table:
    """The columns JUDGEMENTS."""
    columns: list[list[Any]] = [
        [j.query_id for j in judgements],
        [j.doc_id for j in judgements],
        [j.where for j in judgements],
        [j.relevant for j in judgements],
        [j.verdict and j.verdict[0] for j in judgements],
        [j.verdict and j.verdict[1] for j in judgements],
    ]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, JUDGEMENTS, strict=True)], schema=JUDGEMENTS)


def hashed(*parts: Any) -> str:
    """A short name for JSON-able values."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:ID_CHARS]


def identifier(value: Any, what: str, where: str) -> str:
    """An id as text. Raises UnusableError when there is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    _check_decoded(value, where)
    if value is None or value == "":
        raise UnusableError("missing_id", f"{where} has no {what}; give every row one")
    if not isinstance(value, str):
        raise UnusableError("bad_id", f"{where}: {what} is a {type(value).__name__}; ids are text or whole numbers")
    return written(value, where)


def _check_decoded(value: Any, where: str) -> None:
    if isinstance(value, Undecodable):
        raise UnusableError("bad_utf8", f"{where} holds text that is not UTF-8")


def written(value: str, where: str) -> str:
    """Text that a file can hold. Raises UnusableError for half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UnusableError(
            "bad_utf8", f"{where} holds half of a surrogate pair; write the file again as UTF-8"
        ) from None
    return value


def optional_text(value: Any, where: str) -> str | None:
    """A text that may be missing; None where it is empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    _check_decoded(value, where)
    if not isinstance(value, str):
        raise UnusableError("bad_value", f"{where} holds a {type(value).__name__} where a text should be")
    return written(value, where) if value.strip() else None


def seconds(value: Any, where: str) -> float | None:
    """A time of a span. Raises UnusableError for what is none."""
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise UnusableError("bad_span", f"{where}: {value!r} is no time in seconds from the start of the file")
    return number


def grade(value: Any, where: str) -> bool:
    """Whether a grade says relevant: above 0. Raises UnusableError for what is no number."""
    try:
        number = math.nan if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool):
        return value
    if not math.isfinite(number):
        raise UnusableError("bad_score", f"{where}: {value!r} is no grade; above 0 is relevant, 0 judged irrelevant")
    return number > 0


def media_uri(value: str, root: Path, where: str) -> str:
    """The URI of a medium that a row names by a path or URL. Raises UnusableError outside_media_root, bad_url."""
    if is_url(value):
        if value.split("://")[0].lower() not in URL_SCHEMES:
            raise UnusableError("bad_url", f"{where}: {value[:200]!r} has a scheme other than {', '.join(URL_SCHEMES)}")
        return written(value, where)
    path = PurePosixPath(written(value, where))
    if path.is_absolute():
        try:
            path = path.relative_to(root.as_posix())
        except ValueError:
            raise UnusableError(
                "outside_media_root", f"{where}: {value[:200]!r} does not lie below {root}; name it with --media-root"
            ) from None
    if ".." in path.parts or not path.parts or "\0" in value:
        raise UnusableError("outside_media_root", f"{where}: {value[:200]!r} leads out of the media root {root}")
    return path.as_posix()


def checked(content: Content, where: str) -> Content:
    """The content itself. Raises UnusableError when nothing can be embedded of it, or it says two things."""
    if content.text is None and content.image is None and content.video is None:
        raise UnusableError("empty_content", f"{where} has no text, picture or video")
    if content.image is not None and content.video is not None:
        raise UnusableError(
            "two_media", f"{where} has a picture and a video; a query or document has one medium at most"
        )
    start, end = content.start_s, content.end_s
    if content.video is None and (start is not None or end is not None):
        return replace(content, start_s=None, end_s=None)
    if start is not None and end is not None and end < start:
        raise UnusableError("bad_span", f"{where}: the span ends at {end} s, before it begins at {start} s")
    return content
