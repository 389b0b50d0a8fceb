"""Whose media a training row holds, and on what terms."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schemas import SOURCE


def sources(train: pa.Table, assets: pa.Table) -> pa.ListArray:
    """The distinct media of each row of `train` (query, positives, negatives: in this order), lists of SOURCE.

    assets: columns of schemas.ASSETS with `uri` and the other fields of SOURCE; a medium that is not
    among them has its URI alone.
    """
    found = [(np.arange(len(train)), _uri(train.column("query").combine_chunks()))]
    for name in ("positives", "negatives"):
        lists = train.column(name).combine_chunks()
        contents = pc.struct_field(pc.list_flatten(lists), "content")
        found.append((pc.list_parent_indices(lists).to_numpy(), _uri(contents)))
    row = np.concatenate([rows for rows, _ in found]).astype(np.int64)
    coded = pa.concat_arrays([uris for _, uris in found]).dictionary_encode()
    code = pc.fill_null(coded.indices, -1).to_numpy().astype(np.int64)
    # In the order of rows, and in each row of appearance; then of every (row, medium) the first.
    order = np.argsort(row, kind="stable")
    order = order[code[order] >= 0]
    keys = row[order] * max(len(coded.dictionary), 1) + code[order]
    first = np.sort(np.unique(keys, return_index=True)[1])
    row, code = row[order][first], code[order][first]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(train)))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), _credits(coded.dictionary, assets).take(pa.array(code)))


def _uri(contents: pa.StructArray) -> pa.Array:
    return pc.coalesce(pc.struct_field(contents, "image"), pc.struct_field(contents, "video"))


def _credits(uris: pa.Array, assets: pa.Table) -> pa.StructArray:
    at = pc.index_in(uris, assets.column("uri").combine_chunks())
    told = [assets.column(f.name).combine_chunks().take(at) for f in SOURCE if f.name != "uri"]
    return pa.StructArray.from_arrays([uris, *told], fields=list(SOURCE))
