"""Reads the files beside a medium: captions, credits and subtitles, of strangers and perhaps broken."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from types import MappingProxyType

from pipeline.errors import MediaError
from pipeline.media.frames import FrameStore
from pipeline.media.opening import open_medium
from pipeline.media.subtitles import Cue, read_cues
from pipeline.media.told import MAX_CHARS, clean
from pipeline.media.xmp import XmpError, read_xmp
from pipeline.prompts import LANGUAGES
from pipeline.seed_pool.licences import chosen
from pipeline.seed_pool.sources.columns import known_of_record
from pipeline.seed_pool.sources.sidecars import language_in

MAX_BYTES = 1 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Sidecar:
    """What one file says. `problem`: a code and a detail, why it, or a part of it, says nothing."""

    known: dict[str, str] = field(default_factory=dict)  # of sources.rows.KNOWN
    cues: tuple[Cue, ...] = ()
    problem: tuple[str, str] | None = None


def read_sidecar(store: FrameStore, uri: str) -> Sidecar:
    """Read a sidecar by its suffix. Whatever is wrong with it becomes its `problem`.

    Codes: those of opening a file, `too_large`, `not_utf8`, `malformed`, `no_cues`, `bad_cues`.
    """
    try:
        with open_medium(store.place(uri)) as file:
            data = file.read(MAX_BYTES + 1)
    except MediaError as error:
        return Sidecar(problem=(error.reason, error.detail))
    except OSError as error:
        return Sidecar(problem=("unreadable", (error.strerror or str(error)).lower()))
    if len(data) > MAX_BYTES:
        return Sidecar(problem=("too_large", f"more than {MAX_BYTES} bytes"))
    suffix = PurePosixPath(uri).suffix.lower()
    try:
        found = _xmp(data) if suffix == ".xmp" else _READERS[suffix](_decoded(data))
        language = language_in(uri)
        return replace(found, known={"source_language": language}) if language in LANGUAGES else found
    except _UnusableError as error:
        return Sidecar(problem=(error.code, str(error)))


class _UnusableError(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def _decoded(data: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _UnusableError("not_utf8", f"byte {error.start} is not {encoding}") from error


def _text(text: str) -> Sidecar:
    caption = clean(text)
    if caption is None:
        raise _UnusableError("malformed", f"{len(text)} characters, a caption has 1 to {MAX_CHARS}")
    return Sidecar({"source_caption": caption})


def _json(text: str) -> Sidecar:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _UnusableError("malformed", str(error)) from error
    if not isinstance(record, dict):
        raise _UnusableError("malformed", f"a {type(record).__name__}, not an object")
    return Sidecar(known_of_record(record))


def _xmp(data: bytes) -> Sidecar:
    try:
        told = read_xmp(data)
    except XmpError as error:
        raise _UnusableError("malformed", str(error)) from error
    licence = chosen(told.licences)
    found = {"source_caption": told.caption, "licence": licence, "author": told.author, "origin": told.origin}
    return Sidecar({what: text for what, text in found.items() if text is not None})


def _subtitles(text: str) -> Sidecar:
    cues, broken = read_cues(text)
    if not cues:
        raise _UnusableError("no_cues", f"{broken} broken ones")
    return Sidecar(cues=tuple(cues), problem=("bad_cues", f"{broken} of {broken + len(cues)}") if broken else None)


_READERS: MappingProxyType[str, Callable[[str], Sidecar]] = MappingProxyType(
    {".txt": _text, ".json": _json, ".srt": _subtitles, ".vtt": _subtitles}
)
# Where two sidecars say the same thing, the first of these counts.
ORDER = (".txt", ".json", ".xmp", ".srt", ".vtt")
