"""Puts the paths of files in the place of URIs, spans and members of containers."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.atomic import replacing
from pipeline.errors import MediaError
from pipeline.media.frames import FrameStore
from pipeline.media.members import Member
from pipeline.media.opening import open_medium
from pipeline.media.places import identity
from pipeline.mine.export.clips import Key
from pipeline.mine.export.format import Row


def span_key(content: dict[str, Any]) -> Key | None:
    """The span of a video that a content names; None for text, an image or a whole video."""
    if content["video"] is None or (content["start_s"] is None and content["end_s"] is None):
        return None
    return content["video"], content["start_s"], content["end_s"]


@dataclass
class Files:
    """Puts paths in the place of URIs and spans, and counts the negatives whose medium is lost."""

    store: FrameStore | None  # None where the data set names no media root
    folder: Path  # where files are written that a row needs and that are not there as such
    clips: dict[Key, str | MediaError] = field(default_factory=dict)
    whole: dict[str, str | MediaError] = field(default_factory=dict)  # by URI
    dropped: Counter[str] = field(default_factory=Counter)

    def put_into(self, row: Row) -> str | None:
        """Change the contents of a row; gives the reason when the query or every positive is lost."""
        lost = self._replace(row["query"])
        if lost is not None:
            return lost
        reasons = [self._replace(document["content"]) for document in row["positives"]]
        row["positives"] = [d for d, reason in zip(row["positives"], reasons, strict=True) if reason is None]
        if not row["positives"]:
            return next(reason for reason in reasons if reason is not None)
        reasons = [self._replace(document["content"]) for document in row["negatives"]]
        row["negatives"] = [d for d, reason in zip(row["negatives"], reasons, strict=True) if reason is None]
        self.dropped.update(reason for reason in reasons if reason is not None)
        return None

    def _replace(self, content: dict[str, Any]) -> str | None:
        uri, key = content["image"] or content["video"], span_key(content)
        if uri is None:
            return None
        found = self._whole(uri) if key is None or self.store is None else self.clips[key]
        if isinstance(found, MediaError):
            return found.reason
        if key is not None and key[1] == key[2]:
            content["image"], content["video"] = found, None
        else:
            content["image" if content["image"] else "video"] = found
        content["start_s"] = content["end_s"] = None
        return None

    def _whole(self, uri: str) -> str | MediaError:
        if uri not in self.whole:
            self.whole[uri] = self._file(uri)
        return self.whole[uri]

    def _file(self, uri: str) -> str | MediaError:
        """The path of a whole medium, or why it cannot be read."""
        if self.store is None:
            return MediaError("missing", f"{uri!r}: the data set names no media_root; pass --media-root")
        try:
            place = self.store.place(uri)
            with open_medium(place) as file:
                return str(place) if isinstance(place, Path) else self._unpacked(place, file)
        except MediaError as error:
            return error

    def _unpacked(self, member: Member, file: BinaryIO) -> str:
        """The path of a copy of a member: trainers cannot read inside a container."""
        name = hashlib.sha256(json.dumps([str(member.container), identity(member)]).encode()).hexdigest()[:24]
        target = self.folder / f"{name}{Path(member.name).suffix}"
        if not target.exists():
            with replacing(target) as temporary, temporary.open("wb") as copy:
                shutil.copyfileobj(file, copy)
        return str(target)
