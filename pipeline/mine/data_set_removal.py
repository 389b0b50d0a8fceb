"""Takes items of the seed pool out of data sets from elsewhere that share its media."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.mine.data_set import READ, data_set_of
from pipeline.mine.datasets.layouts import is_own
from pipeline.schemas import CORPUS, QUERIES, RELEVANCE
from pipeline.store.removal import Gone, Removal, Rewriter, is_one_of
from pipeline.store.shards import read_manifest


def removal_in(out: Path, folder: Path, removal: Removal) -> Removal:
    """What of a removal concerns a mined folder: a data set from elsewhere whose media lie in another root
    may call other files by the URIs of the pool."""
    if data_set_of(folder) is None or _media_root(folder / "train") == _pool_root(out):
        return removal
    return replace(removal, uris=frozenset(), parts=frozenset())


def data_sets_with_media_of_the_pool(out: Path) -> list[Path]:
    """The data sets from elsewhere, read into our layout, that name media of the pool's root."""
    found = sorted(f for f in (out / READ).glob("*") if is_own(f))
    return [f for f in found if _media_root(f / "queries") == _pool_root(out)]


def remove_from_data_set(folder: Path, gone: Gone, rewriter: Rewriter) -> None:
    """Write what was read from elsewhere again without what is `gone`; its source is not ours to change."""

    def stays(table: pa.Table) -> pa.Table:
        for column, values in (("query_id", gone.queries), ("doc_id", gone.documents)):
            if column in table.column_names:
                table = table.filter(pc.invert(is_one_of(table.column(column), values)))
        return table

    for name, schema in (("queries", QUERIES), ("corpus", CORPUS), ("relevance", RELEVANCE)):
        rewriter.rewrite(folder / name, schema, stays)


def _media_root(folder: Path) -> str | None:
    manifest = read_manifest(folder)
    return None if manifest is None else manifest.media_root


def _pool_root(out: Path) -> str | None:
    return _media_root(out / "seed_pool" / "assets")
