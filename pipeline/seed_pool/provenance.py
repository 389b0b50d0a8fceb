"""What came with each medium: caption, label, licence, author, origin, subtitles; and which licences are allowed.

A list's column counts before a sidecar, a sidecar before what is embedded in the medium, which the probe has read:
no medium is opened here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from pipeline.config import SourceSettings
from pipeline.media.frames import FrameStore
from pipeline.schemas import ASSETS
from pipeline.seed_pool.licences import allowed, chosen, licence_id
from pipeline.seed_pool.probe import EMBEDDED
from pipeline.seed_pool.sidecar_files import ORDER, Sidecar, read_sidecar
from pipeline.seed_pool.sources.rows import KNOWN
from pipeline.stage import Resources, Stage, rejects

NAME = "provenance"
READS = ("uri", "sidecars", EMBEDDED.name, *KNOWN)
ADDS = pa.schema([ASSETS.field(n) for n in (*KNOWN, "cues", "sidecar_problem")])


@dataclass(frozen=True)
class ProvenanceSource:
    """Where media and their sidecars are, and which licences are allowed."""

    store: FrameStore
    limits: SourceSettings


def provenance(source: ProvenanceSource) -> Stage:
    """The stage that gathers what came with a medium and drops what may not be used."""
    return Stage(NAME, gather, source, READS, ADDS, resources=Resources(batch_rows=16))


def gather(table: pa.Table, source: ProvenanceSource) -> pa.Table:
    """Fill KNOWN where the source left it null, add the file's `cues` and `sidecar_problem`; judge the licence.

    Rejects `licence_not_allowed`, with what was found, and, where a licence is required,
    `licence_unknown`. A sidecar that cannot be read is noted in `sidecar_problem`, and its medium goes on.
    """
    rows = [_gathered(row, source.store) for row in table.to_pylist()]
    columns = {f.name: pa.array([r[f.name] for r in rows], f.type) for f in ADDS}
    return pa.table({**columns, "reject": rejects(NAME, [_verdict(r["licence"], source.limits) for r in rows])})


def _gathered(row: dict[str, Any], store: FrameStore) -> dict[str, Any]:
    uris = sorted(row["sidecars"] or [], key=_precedence)
    sidecars = [read_sidecar(store, uri) for uri in uris]
    problems = [_line(uri, *s.problem) for uri, s in zip(uris, sidecars, strict=True) if s.problem]
    told = row[EMBEDDED.name]
    if told["reason"] is not None:
        problems.append(_line(row["uri"], told["reason"], told["detail"]))
    inside = {
        "source_caption": told["caption"],
        "licence": chosen(told["licences"]),
        "author": told["author"],
        "origin": told["origin"],
    }
    levels = [row, *(s.known for s in sidecars), inside]
    known = {name: next((v for level in levels if (v := level.get(name))), None) for name in KNOWN}
    return {**known, "cues": _cues(sidecars), "sidecar_problem": "\n".join(problems) or None}


def _line(uri: str, code: str, detail: str) -> str:
    return " ".join(f"{code} {uri}: {detail}".split())


def _precedence(uri: str) -> tuple[int, str]:
    return ORDER.index(PurePosixPath(uri).suffix.lower()), uri


def _cues(sidecars: list[Sidecar]) -> list[dict[str, Any]]:
    """Of one file only: two are two languages, or the same cues twice."""
    return [cue._asdict() for cue in next((s.cues for s in sidecars if s.cues), ())]


def _verdict(licence: str | None, limits: SourceSettings) -> tuple[str, str] | None:
    listed = ", ".join(map(licence_id, limits.licences))
    if licence is None:
        what = f"nobody states one, allowed {listed or 'any'}"
        return ("licence_unknown", what) if limits.licence_required else None
    if limits.licences and not allowed(licence, limits.licences):
        return "licence_not_allowed", f"{licence!r} ({licence_id(licence)}), allowed {listed}"
    return None


def problems_by_code(problems: Iterable[str | None]) -> dict[str, int]:
    """How many media have sidecars with each problem, by the code that each problem begins with."""
    codes = Counter(code for text in problems if text for code in {p.split(" ")[0] for p in text.split("\n")})
    return dict(sorted(codes.items()))
