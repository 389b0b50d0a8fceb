"""Ids that stand more than once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.mine.ragged import Bools


def repeats(ids: pa.Array, fits: Bools) -> Bools:
    """Which rows repeat the id of an earlier row that fits, bool [N]; rows that do not fit are no repeats."""
    rows = np.flatnonzero(fits)
    codes = ids.take(pa.array(rows)).dictionary_encode().indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    again = fits.copy()
    again[rows[first]] = False
    return again


def differ(ids: pa.Array, keys: pa.Array, fits: Bools) -> Bools:
    """Which rows that fit have another key than the first of their id, bool [N]."""
    rows = np.flatnonzero(fits)
    codes = ids.take(pa.array(rows)).dictionary_encode().indices.to_numpy()
    labels = keys.take(pa.array(rows)).dictionary_encode().indices.to_numpy()
    _, first, of = np.unique(codes, return_index=True, return_inverse=True)
    answer = np.zeros(len(ids), bool)
    answer[rows] = labels != labels[first[of]]
    return answer


def with_unique_ids(rejected: pa.Table, kept: pa.Array) -> pa.Table:
    """Rejected queries under ids that no other query has: a second one of an id is named by where it stands."""
    whole = rejected.filter(pc.invert(pc.equal(rejected.column("part"), "queries")))
    # Those without a place lost their positives, and had an id of their own.
    queries = rejected.filter(pc.equal(rejected.column("part"), "queries"))
    queries = queries.take(pc.sort_indices(pc.is_valid(queries.column("place")).cast(pa.int8())))
    ids = queries.column("id").combine_chunks()
    name = pc.coalesce(queries.column("place").combine_chunks(), ids)
    while (again := repeats(pa.concat_arrays([kept, ids]), np.ones(len(kept) + len(ids), bool))[len(kept) :]).any():
        ids = pc.if_else(pa.array(again), name, ids)
        name = pc.binary_join_element_wise(name, "*", "")
    queries = queries.set_column(queries.column_names.index("id"), "id", ids)
    return pa.concat_tables([queries, whole])
