from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.config import Config, FetchSettings, FrameSettings
from pipeline.errors import ModelError
from pipeline.mine.embed import READS, Embedded, EmbedSource, embed, embed_contents
from pipeline.mine.embedding_cache import EmbeddingCache, Keys
from pipeline.stage import ModelRef
from tests.mine.loop import Loop, Silent
from tests.mine.planted import Colours, paint

MODEL = ModelRef("embedder", Config().embedder)
TYPES = {c: pa.float64() if c.endswith("_s") else pa.string() for c in READS}
SCHEMA = pa.schema(list(TYPES.items()))


def contents(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{**dict.fromkeys(READS), "instruction": "", **r} for r in rows], schema=SCHEMA)


def source(out: Path, fingerprint: str = "colours") -> EmbedSource:
    return EmbedSource(out, out / "media", FrameSettings(), fingerprint)


def embedded(out: Path, model: Colours, table: pa.Table, sha256: list[str | None] | None = None) -> Embedded:
    hashes = pa.array(sha256 or [None] * len(table), pa.string())
    return embed(table, hashes, source(out, model.fingerprint), MODEL, Loop(model), Silent())


def test_rows_that_ask_the_same_are_embedded_once(tmp_path: Path) -> None:
    model = Colours()
    table = contents({"text": "red"}, {"text": "blue"}, {"text": "red"}, {"text": "red", "instruction": "Find it."})
    got = embedded(tmp_path, model, table)
    assert sorted(model.asked, key=str) == [("blue", ""), ("red", ""), ("red", "Find it.")]
    assert got.vectors.argmax(axis=1).tolist() == [0, 2, 0, 0]
    assert got.readable.all()


def test_a_second_run_embeds_nothing_and_gives_the_same_bits(tmp_path: Path) -> None:
    table = contents({"text": "red blue"}, {"text": "green"})
    first, again = embedded(tmp_path, Colours(), table), Colours()
    second = embedded(tmp_path, again, table)
    assert again.asked == []
    assert second.vectors.tobytes() == first.vectors.tobytes()
    more = Colours()
    embedded(tmp_path, more, contents({"text": "green"}, {"text": "pink"}))
    assert more.asked == [("pink", "")]


def test_another_model_does_not_read_the_first_ones_vectors(tmp_path: Path) -> None:
    table = contents({"text": "red"})
    embedded(tmp_path, Colours("one"), table)
    other = Colours("two")
    embedded(tmp_path, other, table)
    assert other.asked == [("red", "")]


def test_a_medium_that_cannot_be_read_is_rejected_and_its_neighbours_are_not(tmp_path: Path) -> None:
    paint(tmp_path / "media", sky=(0, 0, 255))
    (tmp_path / "media" / "empty.png").write_bytes(b"")
    table = contents(
        {"image": "sky.png"},
        {"image": "empty.png"},
        {"image": "gone.png"},
        {"text": "red"},
    )
    got = embedded(tmp_path, Colours(), table)
    assert got.readable.tolist() == [True, False, False, True]
    assert [r and (r["stage"], r["reason"]) for r in got.reject] == [
        None,
        ("embed", "empty_file"),
        ("embed", "missing"),
        None,
    ]
    assert got.vectors[0].argmax() == 2
    assert not got.vectors[1].any()


def test_media_without_a_root_are_rejected_with_the_fix(tmp_path: Path) -> None:
    lost = EmbedSource(tmp_path, None, FrameSettings(), "colours")
    result = embed_contents(contents({"image": "a.png", "asset_id": "a"}), lost, Colours())
    assert "--media-root" in result.column("reject")[0].as_py()["detail"]


def test_a_file_that_changed_is_embedded_again(tmp_path: Path) -> None:
    table = contents({"image": "a.png"})
    paint(tmp_path / "media", a=(255, 0, 0))
    assert embedded(tmp_path, Colours(), table).vectors.argmax() == 0
    paint(tmp_path / "media", a=(0, 0, 255))
    os.utime(tmp_path / "media" / "a.png", ns=(5, 5))
    assert embedded(tmp_path, Colours(), table).vectors.argmax() == 2


def test_a_file_counts_by_its_bytes_where_they_are_known(tmp_path: Path) -> None:
    table = contents({"image": "a.png"})
    paint(tmp_path / "media", a=(255, 0, 0))
    keys = Keys(FrameSettings(), tmp_path / "media")
    row = table.to_pylist()[0]
    before = keys.of(row, None)
    assert keys.of(row, None) == before
    os.utime(tmp_path / "media" / "a.png", ns=(1, 1))
    assert keys.of(row, None) != before
    assert keys.of(row, "one") != keys.of(row, "two")
    assert keys.of(row, "one") == Keys(FrameSettings(), Path("elsewhere")).of(row, "one")


def test_keys_tell_apart_what_a_model_would_see(tmp_path: Path) -> None:
    keys = Keys(FrameSettings(), tmp_path)
    blank = dict.fromkeys(READS)
    rows = [
        {**blank, "text": "a", "instruction": ""},
        {**blank, "text": "a", "instruction": "b"},
        {**blank, "image": "a", "instruction": ""},
        {**blank, "video": "a", "instruction": ""},
        {**blank, "video": "a", "start_s": 0.0, "end_s": 1.0, "instruction": ""},
        {**blank, "video": "a", "start_s": 0.0, "end_s": 2.0, "instruction": ""},
        {**blank, "video": "a", "text": "a", "instruction": ""},
    ]
    assert len({keys.of(r, "hash") for r in rows}) == len(rows)
    coarse = Keys(FrameSettings(max_frames=2), tmp_path)
    assert coarse.of(rows[2], "hash") != keys.of(rows[2], "hash")
    assert coarse.of(rows[0], None) == keys.of(rows[0], None)


def test_how_and_where_from_media_are_fetched_is_no_part_of_a_key(tmp_path: Path) -> None:
    patient = FrameSettings(fetch=FetchSettings(allow=("http",), timeout_s=1))
    row = {**dict.fromkeys(READS), "image": "a.png", "instruction": ""}
    assert Keys(patient, "s3://bucket/x").of(row, "hash") == Keys(FrameSettings(), tmp_path).of(row, "hash")
    assert Keys(patient, "s3://bucket/x").of(row, None) != Keys(patient, "s3://bucket/y").of(row, None)


def test_a_worker_with_another_model_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the worker loaded embedder other"):
        embed_contents(contents({"text": "red"}), source(tmp_path), Colours("other"))


def test_a_damaged_cache_file_counts_as_absent(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    keys = pa.array(["a", "b"])
    cache.add(keys, np.eye(2, dtype=np.float32))
    (at, vectors), *_ = cache.find(pa.array(["b", "c"]))
    assert (at.tolist(), vectors.tolist()) == ([0], [[0, 1]])
    (part,) = tmp_path.glob("part-*.parquet")
    part.write_bytes(b"PAR1 not really")
    assert list(cache.find(keys)) == []
    assert not part.exists()


def test_nothing_to_embed_gives_nothing(tmp_path: Path) -> None:
    got = embedded(tmp_path, Colours(), contents())
    assert got.vectors.shape == (0, 0)
