"""One kept reply as a line of JSON that can tell whether it is whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pipeline.models.protocols import Reply, Usage

# A line is {"key":"<64 hex digits>","check":"<16 hex digits>",...}: key and check stand where they can be read
# without parsing, and any other program still reads it as JSON.
_KEY, _CHECK = b'{"key":"', b'","check":"'
KEY_AT = len(_KEY)
KEY_CHARS, CHECK_CHARS = 64, 16
_CHECK_AT = KEY_AT + KEY_CHARS + len(_CHECK)
_REST_AT = _CHECK_AT + CHECK_CHARS


@dataclass(frozen=True)
class Entry:
    """A reply, what it answers and whom it speaks of. The prompt is not kept: the key stands for it."""

    key: str  # cached_vlm.request_key
    model: str  # the VLM's fingerprint
    asset_ids: tuple[str, ...]
    at: str  # when it came (`moment`)
    reply: Reply  # with what it cost then


def moment(time: datetime) -> str:
    """A time to the second, UTC: 2026-11-24T22:53:00Z. A later one is a greater text."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_line(entry: Entry) -> bytes:
    """`entry` as one line, its newline included."""
    values = asdict(entry)
    del values["key"]
    # A model may write half a surrogate pair, which JSON can carry and UTF-8 cannot.
    rest = b'",' + json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass")[1:]
    key = entry.key.encode()
    return _KEY + key + _CHECK + _check(key, rest) + rest + b"\n"


def from_line(line: bytes) -> Entry | None:
    """The entry of a line; None when a byte of it is not as it was written, or another version wrote it."""
    line = line.rstrip(b"\n")
    key, rest = line[KEY_AT : KEY_AT + KEY_CHARS], line[_REST_AT:]
    if line[:_REST_AT] != _KEY + key + _CHECK + _check(key, rest):
        return None
    try:
        values = json.loads(line.decode("utf-8", "surrogatepass"))
        reply = values["reply"]
        said = Reply(reply["text"], reply["finish_reason"], Usage(**reply["usage"]))
        return Entry(values["key"], values["model"], tuple(values["asset_ids"]), values["at"], said)
    except (KeyError, TypeError, ValueError):
        return None


def _check(key: bytes, rest: bytes) -> bytes:
    return hashlib.sha256(key + rest).hexdigest()[:CHECK_CHARS].encode()
