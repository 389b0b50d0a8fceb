"""Pictures and clips of data sets from elsewhere: by path, inside tables, and what must not be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.config import Config, GuardSettings, MineSettings
from pipeline.errors import DataError
from tests.mine.datasets.mining import CONFIG, malformed, mine, mined
from tests.mine.datasets.written import json_lines, parquet, saved
from tests.mine.planted import film, paint

COLOURS = {"sky": (20, 20, 255), "rose": (255, 10, 10), "leaf": (10, 255, 10), "fog": (180, 180, 180)}


def pairs(root: Path) -> Path:
    paint(root / "img", **COLOURS)
    json_lines(
        root / "pairs.jsonl",
        [
            {"query": "blue", "positive_image": "img/sky.png", "negative_image": ["img/rose.png", "img/leaf.png"]},
            {
                "query": "red",
                "positive_image": str((root / "img" / "rose.png").resolve()),
                "negative_image": "gone.png",
            },
            {"query_image": "img/leaf.png", "query": "green", "positive": "green", "positive_image": "img/leaf.png"},
        ],
    )
    return root / "pairs.jsonl"


def test_pictures_by_path_are_mined(tmp_path: Path) -> None:
    found = mined(tmp_path / "out", pairs(tmp_path / "in"))
    rows = {r["query"]["text"]: r for r in found["train"]}
    assert rows["blue"]["positives"][0]["content"]["image"] == "img/sky.png"
    assert {n["content"]["image"] for n in rows["blue"]["negatives"]} == {"img/rose.png", "img/leaf.png"}
    # An absolute path below the media root is written relative to it.
    assert rows["red"]["positives"][0]["content"]["image"] == "img/rose.png"
    assert rows["green"]["query"]["image"] == "img/leaf.png"
    assert rows["green"]["positives"][0]["content"]["text"] == "green"


def test_a_picture_that_is_not_there_is_counted_and_its_neighbours_are_mined(tmp_path: Path) -> None:
    result = mine(tmp_path / "out", pairs(tmp_path / "in"))
    assert result.summary["unreadable_documents"] == {"missing": 1}
    assert result.summary["not_compared_by_look"] == {"missing": 1}
    assert result.summary["kept"] == 3


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_pictures_inside_a_table_are_read_where_they_lie(tmp_path: Path, kind: str) -> None:
    paint(tmp_path, **COLOURS)
    rows = [
        {"query": word, "positive_image": {"bytes": (tmp_path / f"{name}.png").read_bytes(), "path": f"{name}.png"}}
        for word, name in (("blue", "sky"), ("red", "rose"), ("green", "leaf"))
    ]
    path = tmp_path / ("pairs.parquet" if kind == "parquet" else "saved")
    (parquet if kind == "parquet" else saved)(path, rows)
    file = "pairs.parquet" if kind == "parquet" else "data-00000-of-00001.arrow"
    found = {r["query"]["text"]: r for r in mined(tmp_path / "out", path)["train"]}
    assert set(found) == {"blue", "red", "green"}
    assert found["green"]["positives"][0]["content"]["image"] == f"{file}/2/positive_image"


def test_nothing_outside_the_media_root_is_read(tmp_path: Path) -> None:
    root = tmp_path / "in"
    paint(root, sky=(20, 20, 255))
    paint(tmp_path / "secret", red=(255, 0, 0))
    (root / "link.png").symlink_to(tmp_path / "secret" / "red.png")
    outside = [
        "../secret/red.png",
        str(tmp_path / "secret" / "red.png"),
        "a/../../secret/red.png",
        "file:///etc/passwd",
    ]
    json_lines(
        root / "p.jsonl", [{"query": "blue", "positive_image": "sky.png", "negative_image": ["link.png", *outside]}]
    )
    result = mine(tmp_path / "out", root / "p.jsonl")
    reasons = [reason for _, _, reason in malformed(tmp_path / "out")]
    assert sorted(reasons) == ["bad_url", *["outside_media_root"] * 3]
    assert result.summary["unreadable_documents"] == {"outside_media_root": 1}  # the link
    assert result.summary["negatives"] == 0


def test_media_may_lie_in_another_root(tmp_path: Path) -> None:
    paint(tmp_path / "media", **COLOURS)
    json_lines(
        tmp_path / "in" / "p.jsonl", [{"query": "blue", "positive_image": "sky.png", "negative_image": "rose.png"}]
    )
    assert mine(tmp_path / "out", tmp_path / "in" / "p.jsonl").summary["kept"] == 0
    found = mined(tmp_path / "out", tmp_path / "in" / "p.jsonl", media_root=str(tmp_path / "media"))
    assert len(found["train"]) == 1


def test_looks_group_pictures_without_a_seed_pool(tmp_path: Path) -> None:
    """A smaller copy of the positive in another file has other vectors here, and the same look."""
    root = tmp_path / "in"
    root.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    picture = Image.fromarray(noise).resize((256, 256), Image.Resampling.BICUBIC)
    picture.save(root / "whole.png")
    Image.eval(picture.resize((200, 200)), lambda v: int(v * 0.7)).save(root / "copy.jpg")
    paint(root, sky=(20, 20, 255), navy=(20, 30, 250))
    json_lines(
        root / "p.jsonl",
        [
            {"query": "grey", "positive_image": "whole.png"},
            {"query": "blue", "positive_image": ["copy.jpg", "sky.png", "navy.png"]},
        ],
    )
    strict = Config(mine=CONFIG.mine.model_copy(update={"guards": GuardSettings(near_duplicate_cosine=1.0)}))
    result = mine(tmp_path / "out", root / "p.jsonl", strict)
    assert result.summary["near_duplicate_groups"] == 1
    assert result.summary["guard_hits"]["near_duplicate"] == 2  # for each query the other copy
    off = Config(mine=MineSettings(**{**CONFIG.mine.model_dump(), "guards": {"near_duplicate": False}}))
    assert mine(tmp_path / "out", root / "p.jsonl", off).summary["near_duplicate_groups"] == 0


def test_spans_of_videos_are_mined(tmp_path: Path) -> None:
    root = tmp_path / "in"
    film(root / "film.mp4", (255, 0, 0), (0, 0, 255))
    json_lines(root / "queries.jsonl", [{"_id": "q", "text": "blue"}])
    spans = [{"_id": f"d{i}", "video": "film.mp4", "start_s": i, "end_s": i + 1} for i in range(2)]
    json_lines(root / "corpus.jsonl", spans)
    json_lines(root / "qrels" / "train.jsonl", [{"query-id": "q", "corpus-id": "d1", "score": 1}])
    result = mine(tmp_path / "out", root)
    assert result.summary["kept"] == 1
    assert result.summary["guard_hits"]["same_source"] == 1


def test_bytes_in_a_list_have_no_address(tmp_path: Path) -> None:
    paint(tmp_path, **COLOURS)
    data = (tmp_path / "sky.png").read_bytes()
    cell = {"bytes": data, "path": None}
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"query": ["blue"], "pos_image": pa.array([[cell]], pa.list_(kind))})
    pq.write_table(table, tmp_path / "p.parquet")
    with pytest.raises(DataError, match=r"none of its queries can be used \(no_positive_given 1\)"):
        mine(tmp_path / "out", tmp_path / "p.parquet")
