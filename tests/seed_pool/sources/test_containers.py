"""Media inside tars, Arrow and Parquet files: listed as rows, read where they lie."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import ColumnSettings, FrameSettings, SourceSettings
from pipeline.errors import MediaError, UsageError
from pipeline.media.fingerprint import file_sha256
from pipeline.media.frames import FrameStore
from pipeline.media.probe import probe
from pipeline.seed_pool.sources import open_source
from pipeline.seed_pool.sources.rows import Found
from tests.media.films import film, noise_scene
from tests.media.stills import encoded, picture

JPEG = encoded(picture(1), "JPEG")
PNG = encoded(picture(2), "PNG")


def found(root: Path, **settings: Any) -> list[Found]:
    return list(open_source(str(root), SourceSettings(**settings)).found())


def reasons(rows: list[Found]) -> dict[str, str | None]:
    return {f.uri: None if f.verdict is None else f.verdict[0] for f in rows}


def tar(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


def store(root: Path) -> FrameStore:
    return FrameStore(root / "cache", root, FrameSettings())


def test_a_webdataset_shard_gives_its_media_with_their_sidecars(tmp_path: Path) -> None:
    members = {"0/a.jpg": JPEG, "0/a.txt": b"a cat", "0/a.json": b"{}", "0/b.png": PNG, "lonely.txt": b"x"}
    tar(tmp_path / "00000.tar", members)
    rows = found(tmp_path)
    assert reasons(rows) == {
        "00000.tar": "container",
        "00000.tar/0/a.jpg": None,
        "00000.tar/0/b.png": None,
        "00000.tar/lonely.txt": None,
    }
    assert rows[1].sidecars == ["00000.tar/0/a.json", "00000.tar/0/a.txt"]


def test_members_are_read_where_they_lie(tmp_path: Path) -> None:
    video = film(noise_scene(1, 30))
    tar(tmp_path / "t.tar", {"a.jpg": JPEG, "v.mp4": video})
    place = store(tmp_path).place("t.tar/a.jpg")
    assert probe(place, FrameSettings()).media == "image"
    assert probe(store(tmp_path).place("t.tar/v.mp4"), FrameSettings()).duration_s == pytest.approx(1.2, abs=0.05)
    (tmp_path / "plain.jpg").write_bytes(JPEG)
    assert file_sha256(place) == file_sha256(tmp_path / "plain.jpg")
    assert store(tmp_path).get("x", "t.tar/a.jpg", "image", None, None) == store(tmp_path).get(
        "y", "plain.jpg", "image", None, None
    )


def test_members_that_are_no_files_or_lead_out_are_rejected(tmp_path: Path) -> None:
    tar(tmp_path / "t.tar", {"../up.jpg": JPEG, "/abs.jpg": JPEG, "empty.jpg": b""}, {"l.jpg": "/etc/passwd"})
    assert reasons(found(tmp_path)) == {
        "t.tar": "container",
        "t.tar/../up.jpg": "outside_media_root",
        "t.tar//abs.jpg": "outside_media_root",
        "t.tar/empty.jpg": None,
        "t.tar/l.jpg": "not_a_file",
    }
    for uri, reason in (("t.tar/../up.jpg", "outside_media_root"), ("t.tar/l.jpg", "not_a_file")):
        with pytest.raises(MediaError) as caught:
            probe(store(tmp_path).place(uri), FrameSettings())
        assert caught.value.reason == reason
    with pytest.raises(MediaError, match="empty_file"):
        probe(store(tmp_path).place("t.tar/empty.jpg"), FrameSettings())
    with pytest.raises(MediaError, match="missing"):
        probe(store(tmp_path).place("t.tar/none.jpg"), FrameSettings())


def test_a_tar_that_is_cut_off_keeps_its_first_members(tmp_path: Path) -> None:
    path = tar(tmp_path / "t.tar", {"a.jpg": JPEG, "b.jpg": PNG * 3})
    path.write_bytes(path.read_bytes()[: -len(PNG) * 2 - 10_240])
    rows = found(tmp_path)
    assert reasons(rows) == {"t.tar": "truncated", "t.tar/a.jpg": None}
    assert probe(store(tmp_path).place("t.tar/a.jpg"), FrameSettings()).media == "image"


def test_a_name_that_stands_twice_in_a_tar_is_kept_once(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        for data in (JPEG, PNG):
            info = tarfile.TarInfo("a.jpg")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert [f.verdict and f.verdict[0] for f in found(tmp_path)] == ["container", None, "repeated_member"]


def hf_table() -> pa.Table:
    """As `datasets` writes images on disk: bytes and path, class labels in the schema's metadata."""
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    schema = pa.schema(
        [
            pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            pa.field("label", pa.int64()),
            pa.field("caption", pa.string()),
        ],
        metadata={b"huggingface": json.dumps({"info": {"features": features}}).encode()},
    )
    rows = [
        {"image": {"bytes": JPEG, "path": "x.jpg"}, "label": 1, "caption": "a dog "},
        {"image": {"bytes": None, "path": "beside.png"}, "label": 0, "caption": ""},
        {"image": {"bytes": PNG, "path": None}, "label": 7, "caption": None},
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def write_hf(folder: Path, kind: str) -> str:
    table = hf_table()
    if kind == "parquet":
        pq.write_table(table, folder / "d.parquet", row_group_size=2)
        return "d.parquet"
    with pa.OSFile(str(folder / "d.arrow"), "wb") as sink:
        make = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
        with make(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    return "d.arrow"


@pytest.mark.parametrize("kind", ["parquet", "stream", "file"])
def test_a_hugging_face_data_set_on_disk_gives_its_media_labels_and_captions(tmp_path: Path, kind: str) -> None:
    name = write_hf(tmp_path, kind)
    (tmp_path / "beside.png").write_bytes(PNG)
    rows = [f for f in found(tmp_path) if f.uri != "beside.png" or f.known.get("given_label")]
    assert reasons(rows) == {name: "container", f"{name}/0/image": None, "beside.png": None, f"{name}/2/image": None}
    assert [(f.known["given_label"], f.known["source_caption"]) for f in rows[1:]] == [
        ("dog", "a dog"),
        ("cat", None),
        (None, None),
    ]
    assert probe(store(tmp_path).place(f"{name}/0/image"), FrameSettings()).media == "image"
    for bad in (f"{name}/9/image", f"{name}/x/image", f"{name}/1/image", f"{name}/0/nothing"):
        with pytest.raises(MediaError):
            probe(store(tmp_path).place(bad), FrameSettings())


def test_a_damaged_container_is_a_reject_and_stops_nothing(tmp_path: Path) -> None:
    name = write_hf(tmp_path, "parquet")
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    (tmp_path / "a.jpg").write_bytes(JPEG)
    assert reasons(found(tmp_path)) == {"a.jpg": None, name: "corrupt_container"}


def test_a_parquet_file_without_media_is_a_file_like_any_other(tmp_path: Path) -> None:
    pq.write_table(pa.table({"url": ["x"]}), tmp_path / "00000.parquet")
    assert reasons(found(tmp_path)) == {"00000.parquet": None}


def test_bytes_that_are_no_media_do_not_stand_for_the_picture_beside_them(tmp_path: Path) -> None:
    columns = {"uid": pa.array([b"\x01\x02"]), "image": pa.array([JPEG]), "mask": pa.array([PNG])}
    pq.write_table(pa.table(columns), tmp_path / "d.parquet")
    container, row = found(tmp_path)
    assert row.uri == "d.parquet/0/image"
    assert container.verdict is not None
    assert "uid, mask not read" in container.verdict[1]
    (_, named) = found(tmp_path, columns=ColumnSettings(media="mask"))
    assert named.uri == "d.parquet/0/mask"


def test_a_named_column_without_media_is_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": pa.array([JPEG]), "size": pa.array([3])}), tmp_path / "d.parquet")
    with pytest.raises(UsageError, match="column 'size' holds int64, no media; there are image"):
        found(tmp_path, columns=ColumnSettings(media="size"))


def test_the_url_beside_a_picture_is_its_origin(tmp_path: Path) -> None:
    columns = {"url": pa.array(["https://example.org/1.jpg"]), "jpg": pa.array([JPEG])}
    pq.write_table(pa.table(columns), tmp_path / "00000.parquet")
    (_, row) = found(tmp_path)
    assert row.known["origin"] == "https://example.org/1.jpg"
