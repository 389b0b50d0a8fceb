"""What was taken out of a pool does not come back: it is recognised by salted digests, which name nothing."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import DataError
from pipeline.media.frames import FrameStore
from pipeline.seed_pool.sources.rows import Found
from pipeline.stage import Stage, rejects
from pipeline.store.removal import REMOVED, Removal
from pipeline.store.shards import write_json

NAME, SEGMENTS = "removed", "removed_segments"
FILE = "removed.json"
DETAIL = "taken out by seed-pool remove"
VERDICT = (REMOVED, DETAIL)


@dataclass(frozen=True)
class Tombstones:
    """Digests of URIs and of files' bytes; of a file that lost segments, their spans in seconds."""

    salt: str
    digests: frozenset[str] = frozenset()
    spans: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # by digest of the file

    def __bool__(self) -> bool:
        return bool(self.digests or self.spans)

    def digest(self, value: str) -> str:
        """What a URI or a SHA-256 is recognised by."""
        return hashlib.sha256(f"{self.salt}\0{value}".encode()).hexdigest()

    def has(self, value: str | None) -> bool:
        """Whether a URI or the SHA-256 of a file was taken out."""
        return value is not None and bool(self.digests) and self.digest(value) in self.digests

    def has_span(self, sha256: str, start_s: float | None, end_s: float | None) -> bool:
        """Whether a segment shares time with one that was taken out, however the file is cut now."""
        if start_s is None or end_s is None or not self.spans:
            return False
        return any(start_s < end and end_s > start for start, end in self.spans.get(self.digest(sha256), ()))

    def plus(self, removal: Removal) -> Tombstones:
        """These and those of `removal`."""
        spans = {name: list(known) for name, known in self.spans.items()}
        for _, sha256, start_s, end_s in sorted(removal.parts):
            known = spans.setdefault(self.digest(sha256), [])
            if (start_s, end_s) not in known:
                known.append((start_s, end_s))
        more = {self.digest(value) for value in (*removal.uris, *removal.files)}
        return replace(self, digests=self.digests | more, spans=spans)

    def hidden(self, found: Iterable[Found]) -> Iterator[Found]:
        """`found`, of what was taken out the URI (and that of its row) alone."""
        for one in found:
            yield Found(one.uri, VERDICT, row=one.row) if self.has(one.uri) else one


def read_tombstones(pool: Path) -> Tombstones:
    """Those of a pool's folder; new ones where there are none. Raises DataError when they are damaged."""
    path = pool / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        spans = {name: [(float(a), float(b)) for a, b in known] for name, known in values["spans"].items()}
        return Tombstones(str(values["salt"]), frozenset(map(str, values["digests"])), spans)
    except FileNotFoundError:
        return Tombstones(secrets.token_hex(16))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is damaged ({error}); without it a build would bring back what was taken out: restore it, "
            "or delete it and take those items out again"
        ) from error


def write_tombstones(pool: Path, tombstones: Tombstones) -> None:
    """Keep them beside the pool."""
    value = {"salt": tombstones.salt, "digests": sorted(tombstones.digests), "spans": tombstones.spans}
    write_json(pool / FILE, value)


def files_removed(tombstones: Tombstones) -> Stage:
    """The stage that drops files whose bytes were taken out, whatever they are called now."""
    return Stage(NAME, _judge_files, tombstones, ("sha256",), pa.schema([]))


def segments_removed(tombstones: Tombstones, store: FrameStore) -> Stage:
    """The stage that drops segments that were taken out, and their cached frames."""
    reads = ("asset_id", "sha256", "start_s", "end_s")
    return Stage(SEGMENTS, _judge_segments, (tombstones, store), reads, pa.schema([]))


def _judge_files(table: pa.Table, tombstones: Tombstones) -> pa.Table:
    found = table.column("sha256").to_pylist()
    return pa.table({"reject": rejects(NAME, [VERDICT if tombstones.has(h) else None for h in found])})


def _judge_segments(table: pa.Table, settings: tuple[Tombstones, FrameStore]) -> pa.Table:
    tombstones, store = settings
    verdicts: list[tuple[str, str] | None] = []
    for row in table.to_pylist():
        gone = tombstones.has_span(row["sha256"], row["start_s"], row["end_s"])
        if gone:
            store.path(row["asset_id"]).unlink(missing_ok=True)
        verdicts.append(VERDICT if gone else None)
    return pa.table({"reject": rejects(SEGMENTS, verdicts)})


def uri_alone(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Rejected rows; those that were taken out keep their URI and the reject, one row a URI."""
    seen: set[str] = set()
    for table in tables:
        removed = pc.fill_null(pc.equal(table.column("reason"), REMOVED), False)
        yield table.filter(pc.invert(removed))
        rows: list[dict[str, Any]] = []
        for row in table.filter(removed).select(["uri", "stage", "reason", "detail"]).to_pylist():
            if row["uri"] not in seen:
                seen.add(row["uri"])
                rows.append(row)
        if rows:
            schema = pa.schema([table.schema.field(n) for n in ("uri", "stage", "reason", "detail")])
            yield pa.Table.from_pylist(rows, schema=schema)
