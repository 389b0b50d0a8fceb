from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.mine.labels import ASSET_COLUMNS, content_labels, file_hashes, fingerprints, source_labels, spans
from pipeline.schemas import ASSETS, CORPUS

NONE: dict[str, Any] = {f.name: None for f in CORPUS}


def documents(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{**NONE, **r} for r in rows], schema=CORPUS)


def pool(*rows: dict[str, Any]) -> pa.Table:
    blank = {f.name: None for f in ASSETS}
    return pa.Table.from_pylist([{**blank, **r} for r in rows], schema=ASSETS).select(list(ASSET_COLUMNS))


def test_contents_are_equal_in_normal_form_with_medium_and_span() -> None:
    table = documents(
        {"text": "A Dog."},
        {"text": "a  dog"},
        {"text": "a dog", "image": "x.jpg"},
        {"video": "v.mp4", "start_s": 0.0, "end_s": 1.0},
        {"video": "v.mp4", "start_s": 0.0, "end_s": 2.0},
        {"video": "v.mp4", "start_s": 0.0, "end_s": 1.0},
    )
    assert content_labels(table).tolist() == [0, 0, 2, 3, 4, 3]


def test_files_of_one_name_or_the_same_bytes_are_one_source() -> None:
    table = documents(
        {"text": "a", "asset_id": "x"},
        {"video": "v.mp4", "start_s": 0.0, "end_s": 1.0},
        {"video": "w.mp4"},
        {"video": "v.mp4", "start_s": 2.0, "end_s": 3.0},
        {"image": "other.jpg"},
    )
    hashes = file_hashes(table, pool({"uri": "v.mp4", "sha256": "aa"}, {"uri": "w.mp4", "sha256": "aa"}))
    assert hashes.to_pylist() == [None, "aa", "aa", "aa", None]
    labels = source_labels(table, hashes)
    assert labels[0] == -1
    assert labels[1] == labels[2] == labels[3] != labels[4]


def test_without_a_pool_only_names_tell_files_apart() -> None:
    table = documents({"image": "a.jpg"}, {"image": "a.jpg"}, {"image": "b.jpg"})
    empty = pool().slice(0, 0)
    assert file_hashes(table, empty).to_pylist() == [None] * 3
    labels = source_labels(table, file_hashes(table, empty))
    assert labels[0] == labels[1] != labels[2]
    assert fingerprints(table, empty).lengths.tolist() == [0, 0, 0]


def test_fingerprints_belong_to_the_whole_asset_only() -> None:
    table = documents(
        {"image": "i.jpg", "asset_id": "i"},
        {"video": "v.mp4", "asset_id": "v", "start_s": 1.0, "end_s": 4.0},
        {"video": "v.mp4", "asset_id": "v", "start_s": 1.0, "end_s": 2.0},  # a moment inside the asset
        {"text": "an answer", "asset_id": "i"},
        {"image": "gone.jpg", "asset_id": "unknown"},
        {"image": "other.jpg", "asset_id": "i"},
    )
    top = 2**64 - 1
    assets = pool(
        {"asset_id": "v", "uri": "v.mp4", "start_s": 1.0, "end_s": 4.0, "fingerprints": [1, 2, top]},
        {"asset_id": "i", "uri": "i.jpg", "start_s": None, "end_s": None, "fingerprints": [9]},
    )
    found = fingerprints(table, assets)
    assert found.lengths.tolist() == [1, 3, 0, 0, 0, 0]
    assert found.values.view(np.uint64).tolist() == [9, 1, 2, top]


def test_spans_are_nan_where_null() -> None:
    start, end = spans(documents({"text": "a"}, {"video": "v", "start_s": 1.0, "end_s": 2.0}))
    assert np.isnan(start[0])
    assert np.isnan(end[0])
    assert (start[1], end[1]) == (1.0, 2.0)
