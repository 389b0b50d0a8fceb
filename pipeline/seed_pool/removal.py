"""Takes items out of a seed pool: its rows, its frames; a reject with the URI alone stays."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.config import FetchSettings
from pipeline.errors import UsageError
from pipeline.media.remote import FETCHED, Remote
from pipeline.media.urls import is_url
from pipeline.schemas import ASSETS, ASSETS_REJECTED
from pipeline.seed_pool.exclusion_report import FILE as EXCLUSIONS
from pipeline.seed_pool.exclusion_report import without
from pipeline.seed_pool.passes import by_category
from pipeline.seed_pool.removed import DETAIL, read_tombstones, write_tombstones
from pipeline.stage import Counts
from pipeline.store.removal import REMOVED, STAGE, Removal, Rewriter, is_one_of, scrubbed
from pipeline.store.reply_cache.stock import of_others, prune, stock
from pipeline.store.shards import read_manifest, shard_paths, write_json

_PLACE = ["asset_id", "uri", "sha256", "start_s", "end_s"]


def plan(out: Path, assets: Sequence[str], sources: Sequence[str]) -> Removal:
    """What of `<out>/seed_pool` is meant.

    assets: ids; that of an image, or of a video that is one segment, means the file. sources: URIs,
    of a folder or container for all in it, or globs (`*` also matches `/`). A file is recognised by its
    bytes, so its copies are meant too. Raises UsageError for an asset or source that is not there.
    """
    rows = list(_places(out / "seed_pool"))
    if not rows:
        raise UsageError(f"{out} holds no seed pool; run `seed-pool build INPUT --out {out}` first")
    ids, wanted = set(assets), _source_pattern(sources)
    missing = sorted(ids - {r["asset_id"] for r in rows})
    missing += [s for s in sources if not any(_source_pattern([s])(r["uri"]) for r in rows)]
    if missing:
        raise UsageError(f"nothing in {out / 'seed_pool'} is called {missing[0]!r}; give an asset_id or a URI of it")
    whole = {r["uri"] for r in rows if wanted(r["uri"])}
    whole |= {r["uri"] for r in rows if r["asset_id"] in ids and r["start_s"] is None}
    files = {r["sha256"] for r in rows if r["uri"] in whole and r["sha256"]}
    whole |= {r["uri"] for r in rows if r["sha256"] in files}
    parts = [r for r in rows if r["asset_id"] in ids and r["start_s"] is not None and r["uri"] not in whole]
    # The same span of a copy has the same id.
    single = {(r["uri"], r["sha256"], r["start_s"], r["end_s"]) for r in parts}
    gone = {r["asset_id"] for r in rows if r["uri"] in whole and r["asset_id"]} | {r["asset_id"] for r in parts}
    return Removal(frozenset(gone), frozenset(whole), frozenset(files), frozenset(single))


def _places(pool: Path) -> Iterator[dict[str, Any]]:
    for name in ("assets", "rejected"):
        if read_manifest(pool / name) is not None:
            for part in shard_paths(pool / name):
                yield from pq.read_table(part, columns=_PLACE).to_pylist()


def _source_pattern(sources: Sequence[str]) -> Callable[[str], bool]:
    """Whether a URI is one of `sources`, lies in one, or matches one."""
    exact = {s.rstrip("/") for s in sources}
    globs = [re.compile(fnmatch.translate(s)) for s in sources if any(c in s for c in "*?[")]

    def matches(uri: str) -> bool:
        return (
            uri in exact
            or any(uri.startswith(f"{s}/") for s in exact)
            or any(pattern.match(uri) is not None for pattern in globs)
        )

    return matches


def remove_frames(out: Path, removal: Removal, dry: bool) -> int:
    """Delete the cached frames of assets, with whatever settings they were sampled; give their number."""
    found = [
        path
        for asset_id in sorted(removal.assets)
        for path in (out / "cache" / "frames" / asset_id[:2]).glob(f"{asset_id}-*.frames")
    ]
    for path in [] if dry else found:
        path.unlink(missing_ok=True)
    return len(found)


def remove_replies(out: Path, removal: Removal, rewriter: Rewriter) -> int:
    """Delete the cached VLM replies about assets that go, and those about assets that the pool does not know; give
    their number. To be called before the pool is written again.

    A segment of an earlier build, cut elsewhere, may lie in a file that goes, and its id no longer says so.
    """
    stays = {row["asset_id"] for row in _places(out / "seed_pool")} - removal.assets
    found = sum(kept.entries for kept in stock(out / "cache", of_others(stays)))
    if not rewriter.dry:
        prune(out / "cache", rewriter.work, of_others(stays))
    return found


def remove_fetched(out: Path, removal: Removal, dry: bool) -> int:
    """Delete what was fetched of remote files that are removed; give its number. A tar that holds others stays."""
    manifest = read_manifest(out / "seed_pool" / "assets")
    root = manifest.media_root if manifest and manifest.media_root and is_url(manifest.media_root) else None
    found = []
    for uri in sorted(removal.uris):
        if root is not None or is_url(uri):
            remote = Remote(out / "cache" / FETCHED, FetchSettings(), None if is_url(uri) else root)
            found += remote.copies(uri)
    for path in [] if dry else found:
        path.unlink(missing_ok=True)
    return len(found)


def remove_from_pool(out: Path, removal: Removal, rewriter: Rewriter) -> None:
    """Take the rows of `removal` out of `<out>/seed_pool`, and remember what not to bring back."""
    pool = out / "seed_pool"
    if not rewriter.dry:
        write_tombstones(pool, read_tombstones(pool).plus(removal))
        _forget_exclusions(pool, removal)

    def stays(table: pa.Table) -> pa.Table:
        gone = pc.or_(is_one_of(table.column("asset_id"), removal.assets), is_one_of(table.column("uri"), removal.uris))
        return table.filter(pc.invert(gone))

    def rejected(table: pa.Table) -> pa.Table:
        left = stays(table)
        again = pc.and_(is_one_of(left.column("uri"), removal.named), pc.equal(left.column("reason"), REMOVED))
        return scrubbed(left.filter(pc.invert(again)), removal.mentions)

    said = {"stage": STAGE, "reason": REMOVED, "detail": DETAIL}
    more = pa.Table.from_pylist([{"uri": uri, **said} for uri in sorted(removal.named)], schema=ASSETS_REJECTED)
    before = read_manifest(pool / "assets")
    rewriter.rewrite(pool / "rejected", ASSETS_REJECTED, rejected, more)
    gone = rewriter.rewrite(pool / "assets", ASSETS, stays).gone
    if not rewriter.dry and before is not None:
        _summarise(pool, before.rows, before.rows - gone)


def _forget_exclusions(pool: Path, removal: Removal) -> None:
    path = pool / EXCLUSIONS
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    write_json(path, without(report, removal.assets))


def _summarise(pool: Path, before: int, left: int) -> None:
    """Bring summary.json up to date: its funnel gets one more step."""
    path = pool / "summary.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    rejected = read_manifest(pool / "rejected")
    assets = (pq.read_table(part, columns=["media", "category"]) for part in shard_paths(pool / "assets"))
    summary["counts"] = [c for c in summary.get("counts", []) if c["stage"] != STAGE] + [
        _counts(summary.get("counts", []), before, left)
    ]
    summary |= {
        "kept": left,
        "rejected": rejected.rows if rejected else 0,
        "category_after": by_category(assets),
    }
    write_json(path, summary)


def _counts(steps: list[dict[str, Any]], before: int, left: int) -> dict[str, Any]:
    """This step of the funnel, with what earlier removals took."""
    earlier = sum(n for c in steps if c["stage"] == STAGE for n in c["rejected"].values())
    whole = before + earlier
    taken = {REMOVED: whole - left} if whole > left else {}
    return vars(Counts(STAGE, whole, whole, taken, 0.0))
