"""Labels that the guards compare: equal content, same file, spans, fingerprints of the pool."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.mine.groups import Forest, same_label
from pipeline.mine.ragged import Ints, Ragged, spread
from pipeline.text import normalised
from pipeline.wordnet.nouns import Related, related

# What mining reads of the seed pool; the last three travel to the training rows.
ASSET_COLUMNS = ("asset_id", "uri", "start_s", "end_s", "sha256", "fingerprints", "licence", "author", "origin")
SAME_SPAN_S = 1e-6
DIGEST_BYTES = 16  # contents are told apart by a hash, so that memory does not grow with their length
AT_ONCE = 8192  # rows held as Python objects


def content_labels(table: pa.Table) -> Ints:
    """Number the contents of a table of queries or documents, int64 [N]: the first row that has
    each, text in its normal form."""
    columns = ("text", "image", "video", "start_s", "end_s")
    digests = np.empty(len(table), f"V{DIGEST_BYTES}")
    for start in range(0, len(table), AT_ONCE):
        rows = table.select(columns).slice(start, AT_ONCE)
        for i, (text, *medium) in enumerate(zip(*(rows.column(c).to_pylist() for c in columns), strict=True), start):
            key = repr((normalised(text) if text else None, *medium)).encode()
            digests[i] = hashlib.blake2b(key, digest_size=DIGEST_BYTES).digest()
    _, first, of = np.unique(digests, return_index=True, return_inverse=True)
    return np.asarray(first[of], np.int64)


def source_labels(table: pa.Table, sha256: pa.Array) -> Ints:
    """Label the files that documents are cut from, int64 [N]; -1 for a text.

    sha256: string [N], null where unknown. Files with one name or the same bytes are one.
    """
    forest = Forest(len(table))
    forest.join(same_label(_codes(c)) for c in (table.column("image"), table.column("video"), sha256))
    return np.where(_is_media(table), forest.roots(), -1)


def spans(table: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """start_s and end_s, float64 [N] each; NaN where null."""
    start, end = (pc.fill_null(table.column(c), float("nan")).to_numpy() for c in ("start_s", "end_s"))
    return start, end


def file_hashes(table: pa.Table, assets: pa.Table) -> pa.Array:
    """SHA-256 of the file of each row (string [N]), from the pool's `uri` and `sha256`; null where unknown."""
    uri = pc.coalesce(table.column("image"), table.column("video"))
    at = pc.index_in(uri, assets.column("uri").combine_chunks(), skip_nulls=True)
    return _flat(assets.column("sha256")).take(_flat(at))


def nouns(table: pa.Table) -> Related | None:
    """The documents that are English nouns, by WordNet, and how those are related; None without any.

    A document without a language counts as English.
    """
    english = pc.fill_null(pc.equal(table.column("language"), "en"), True).to_numpy()
    found = related(_flat(table.column("text")), np.asarray(english) & ~_is_media(table))
    return found if found.count else None


def whole_assets(table: pa.Table, assets: pa.Table) -> Ints:
    """The pool's row of the asset that each content is, int64 [N]; -1 for a text, for an asset
    nobody knows, and for a span that is not the whole asset."""
    at = pc.index_in(table.column("asset_id"), assets.column("asset_id").combine_chunks(), skip_nulls=True)
    row = pc.fill_null(at, -1).to_numpy().astype(np.int64)
    whole = _is_media(table) & (row >= 0)
    if whole.any():
        uri = pc.coalesce(table.column("image"), table.column("video"))
        known = _flat(assets.column("uri")).take(pa.array(np.maximum(row, 0)))
        whole &= pc.fill_null(pc.equal(uri, known), False).to_numpy()
        for mine, theirs in zip(spans(table), spans(assets), strict=True):
            a, b = mine, theirs[row]
            whole &= (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) < SAME_SPAN_S)
    return np.where(whole, row, -1)


def fingerprints(table: pa.Table, assets: pa.Table) -> Ragged:
    """Perceptual hashes (as int64) of each document that is a whole asset of the pool; none of
    others: their frames are not those that were hashed."""
    row = whole_assets(table, assets)
    whole = row >= 0
    hashes = _flat(assets.column("fingerprints"))
    starts, lengths = np.zeros(len(table), np.int64), np.zeros(len(table), np.int64)
    offsets = hashes.offsets.to_numpy().astype(np.int64)
    sizes = pc.fill_null(pc.list_value_length(hashes), 0).to_numpy().astype(np.int64)
    starts[whole], lengths[whole] = offsets[row[whole]], sizes[row[whole]]
    values = hashes.values.to_numpy(zero_copy_only=False).astype(np.uint64).view(np.int64)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Ragged(ends, values[spread(starts, lengths)])


def _is_media(table: pa.Table) -> NDArray[np.bool_]:
    there = pc.or_(pc.is_valid(table.column("image")), pc.is_valid(table.column("video")))
    return np.asarray(there.to_numpy(zero_copy_only=False))


def _codes(column: pa.Array | pa.ChunkedArray) -> Ints:
    """Number equal strings, int64 [N]; -1 for null."""
    flat = _flat(column).dictionary_encode()
    return np.asarray(pc.fill_null(flat.indices, -1).to_numpy(), np.int64)


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
