"""Buckets and URL lists as sources, down to frames; with an S3-compatible server and a web server on this machine."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import FetchSettings, FrameSettings, SourceSettings
from pipeline.errors import DataError, MediaError, UsageError
from pipeline.media.frames import FrameStore
from pipeline.media.places import root_of
from pipeline.media.probe import probe
from pipeline.media.remote import Remote
from pipeline.seed_pool.probe import probe_files
from pipeline.seed_pool.sources import Source, open_source
from tests.media.buckets import Buckets, s3_server
from tests.media.servers import Web, reply
from tests.media.stills import encoded, picture

JPEG = encoded(picture(1), "JPEG")
PNG = encoded(picture(2), "PNG")


def tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def buckets() -> Iterator[Buckets]:
    with s3_server() as server:
        objects = {
            "set/b/x.jpg": JPEG, "set/a.png": PNG, "set/a.txt": b"a caption", "set/b-c.jpg": JPEG,
            "set/b/x.json": b"{}",
            "set/.hidden.jpg": JPEG, "set/.git/y.jpg": JPEG, "set/lonely.txt": b"x", "set/dir/": b"",
            "set/00.tar": tar({"in/m.jpg": JPEG, "in/m.txt": b"caption", "../up.jpg": JPEG}), "set/fake.tar": JPEG,
            "set/s.parquet": parquet([{"image": PNG, "caption": "one"}, {"image": b"", "caption": "two"}]),
            "set/list.csv": b"path,caption\nb/x.jpg,hello\ns3://other/z.jpg,no\n/etc/passwd,no\n",
            "other.jpg": JPEG,
        }  # fmt: skip
        server.fill("media", objects)
        server.fill("nothing", {".hidden": b"x"})
        yield server


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


def opened(url: str, folder: Path, settings: FetchSettings, **changes: Any) -> Source:
    return open_source(url, SourceSettings(**changes), Remote(folder / "cache" / "fetched", settings))


def reasons(source: Source) -> dict[str, str | None]:
    return {f.uri: None if f.verdict is None else f.verdict[0] for f in source.found()}


def store(source: Source, folder: Path, settings: FetchSettings) -> FrameStore:
    return FrameStore(folder / "cache", root_of(source.media_root), FrameSettings(fetch=settings))


EXPECTED = {
    "00.tar": "container",
    "00.tar/in/m.jpg": None,
    "00.tar/../up.jpg": "outside_media_root",
    "a.png": None,
    "b-c.jpg": None,
    "b/x.jpg": None,
    "fake.tar": None,
    "list.csv": None,
    "lonely.txt": None,
    "s.parquet": "container",
    "s.parquet/0/image": None,
    "s.parquet/1/image": None,
}


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_prefix_is_walked_like_a_folder(buckets: Buckets, tmp_path: Path, slash: str) -> None:
    source = opened(f"s3://media/set{slash}", tmp_path, buckets.settings())
    assert source.media_root == "s3://media/set"
    assert reasons(source) == EXPECTED
    rows = {f.uri: f for f in source.found()}
    assert rows["a.png"].sidecars == ["a.txt"]
    assert rows["b/x.jpg"].sidecars == ["b/x.json"]
    assert rows["00.tar/in/m.jpg"].sidecars == ["00.tar/in/m.txt"]
    assert rows["s.parquet/0/image"].known["source_caption"] == "one"
    assert [u for u in rows if not u.startswith(("00.tar/", "s.parquet/"))] == sorted(
        u for u in rows if not u.startswith(("00.tar/", "s.parquet/"))
    )


def test_a_bucket_gives_the_same_rows_as_the_folder_it_was_copied_from(buckets: Buckets, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    for item in buckets.client.list_objects_v2(Bucket="media", Prefix="set/")["Contents"]:
        path = folder / item["Key"].removeprefix("set/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not item["Key"].endswith("/"):
            path.write_bytes(buckets.client.get_object(Bucket="media", Key=item["Key"])["Body"].read())
    remote = list(opened("s3://media/set", tmp_path, buckets.settings(), folder_labels=True).found())
    assert remote == list(open_source(str(folder), SourceSettings(folder_labels=True)).found())


def test_members_and_objects_are_read_and_the_container_is_fetched_once(buckets: Buckets, tmp_path: Path) -> None:
    source = opened("s3://media/set", tmp_path, buckets.settings())
    frames = store(source, tmp_path, buckets.settings())
    for uri in ("a.png", "b/x.jpg", "00.tar/in/m.jpg", "s.parquet/0/image", "fake.tar"):
        assert probe(frames.place(uri), frames.settings).media == "image", uri
    assert frames.get("x", "00.tar/in/m.jpg", "image", None, None) == frames.get("y", "b/x.jpg", "image", None, None)
    for uri, reason in (("s.parquet/1/image", "empty_file"), ("00.tar/no.jpg", "missing"), ("no.jpg", "missing"),
                        ("../other.jpg", "outside_media_root"), ("s3://media/other.jpg", "not_allowed")):  # fmt: skip
        with pytest.raises(MediaError) as caught:
            probe(frames.place(uri), frames.settings)
        assert caught.value.reason == reason, uri
    fetched = [p.suffix for p in (tmp_path / "cache" / "fetched").rglob("*") if p.is_file()]
    assert sorted(fetched) == [".jpg", ".parquet", ".png", ".tar", ".tar"]
    with pytest.raises(MediaError, match="missing"):
        frames.at_hand("b-c.jpg")


def test_identities_are_those_of_the_listing_and_change_with_the_objects(buckets: Buckets, tmp_path: Path) -> None:
    buckets.fill("changing", {"a.jpg": b"x", "a.txt": b"y"})
    source = opened("s3://changing", tmp_path, buckets.settings())
    before = list(source.identities())
    assert list(source.identities()) == before
    assert [i[0] for i in before] == ["a.jpg", "a.txt"]
    buckets.client.put_object(Bucket="changing", Key="a.txt", Body=b"longer")
    assert list(source.identities()) != before
    assert not (tmp_path / "cache").exists()  # nothing was fetched for it


def test_keys_that_cannot_be_named_are_rejected_and_do_not_stop_the_others(buckets: Buckets, tmp_path: Path) -> None:
    buckets.fill("odd", {"p//x.jpg": JPEG, "p/y.jpg": JPEG, "z.jpg": JPEG, "q": JPEG, "q/r.jpg": JPEG})
    assert reasons(opened("s3://odd", tmp_path, buckets.settings())) == {
        "p//": "unreadable_folder",
        "p/y.jpg": None,
        "q": None,
        "q/r.jpg": None,
        "z.jpg": None,
    }


def test_a_container_that_is_too_large_is_a_reject(buckets: Buckets, tmp_path: Path) -> None:
    found = reasons(opened("s3://media/set", tmp_path, buckets.settings(max_bytes=9000)))
    assert found["00.tar"] == "too_large"
    assert found["b/x.jpg"] is None


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://nothing", "there is nothing below s3://nothing"),
        ("s3://media/none", "cannot be read: missing"),
        ("s3://nobucket", "there is nothing below s3://nobucket"),
        ("s3://media/other.jpg", "is one file; name a list"),
        ("s3://UPPER/x", "cannot be read: bad_url"),
        ("ftp://host/x", "cannot be read: not_allowed"),
    ],
)
def test_an_input_that_cannot_be_is_named(buckets: Buckets, tmp_path: Path, url: str, says: str) -> None:
    with pytest.raises((UsageError, DataError), match=says):
        list(opened(url, tmp_path, buckets.settings()).found())


def test_a_list_in_a_bucket_names_what_lies_beside_it(buckets: Buckets, tmp_path: Path) -> None:
    source = opened("s3://media/set/list.csv", tmp_path, buckets.settings())
    assert source.media_root == "s3://media/set"
    rows = list(source.found())
    assert [(r.uri, r.known["source_caption"]) for r in rows] == [
        ("b/x.jpg", "hello"), ("s3://other/z.jpg", "no"), ("/etc/passwd", "no"),
    ]  # fmt: skip
    places = store(source, tmp_path, buckets.settings()).places([r.uri for r in rows])
    assert isinstance(places[0], Path)
    assert [p.reason for p in places[1:] if isinstance(p, MediaError)] == ["not_allowed", "outside_media_root"]


LIST = b"url,caption,license\n%s/pics/1.jpg,one,CC0\npics/b c.jpg,two,\n%s/gone.jpg,three,\nhttps://[,four,\n"


def test_a_list_at_a_url_is_read_with_its_captions_and_fetched_anew_by_every_run(web: Web, tmp_path: Path) -> None:
    settings = FetchSettings(allow=("http",), private_addresses=True)
    web.answers |= {
        "/set/list.csv": reply(LIST % (web.url("").encode(), web.url("").encode())),
        "/pics/1.jpg": reply(JPEG),
        "/set/pics/b%20c.jpg": reply(PNG),
    }
    source = opened(web.url("/set/list.csv"), tmp_path, settings)
    assert source.media_root == web.url("/set")
    rows = list(source.found())
    assert (rows[0].uri, rows[0].known["source_caption"], rows[0].known["licence"]) == (
        web.url("/pics/1.jpg"), "one", "CC0",
    )  # fmt: skip
    table = pa.table({"uri": [r.uri for r in rows]})
    probed = probe_files(table, store(source, tmp_path, settings))
    assert probed.column("media").to_pylist() == ["image", "image", None, None]
    rejected = [r and r["reason"] for r in probed.column("reject").to_pylist()]
    assert rejected == [None, None, "missing", "bad_url"]

    before = list(source.identities())
    assert list(opened(web.url("/set/list.csv"), tmp_path, settings).identities()) == before
    web.answers["/set/list.csv"] = reply(b"url\na.jpg\n")
    assert list(opened(web.url("/set/list.csv"), tmp_path, settings).identities()) != before
    assert web.asked.count("/set/list.csv") == 3
    assert web.asked.count("/pics/1.jpg") == 1


def test_a_local_list_may_name_urls_and_shards_behind_them(web: Web, tmp_path: Path) -> None:
    settings = FetchSettings(allow=("http",), private_addresses=True)
    web.answers["/s/00.tar"] = reply(tar({"a b.jpg": JPEG, "c.png": PNG}))
    (tmp_path / "local.jpg").write_bytes(JPEG)
    names = [web.url("/s/00.tar/a%20b.jpg"), web.url("/s/00.tar/c.png"), "local.jpg"]
    (tmp_path / "list.csv").write_text("url\n" + "".join(f"{name}\n" for name in names))
    source = opened(str(tmp_path / "list.csv"), tmp_path, settings)
    frames = store(source, tmp_path, settings)
    for place in frames.places([f.uri for f in source.found()]):
        assert not isinstance(place, MediaError)
        assert probe(place, frames.settings).media == "image"
    assert web.asked == ["/s/00.tar"]


def test_a_list_that_cannot_be_fetched_is_named(web: Web, tmp_path: Path) -> None:
    open_to_all = FetchSettings(private_addresses=True)
    with pytest.raises(UsageError, match="cannot be read: missing, HTTP 404"):
        opened(web.url("/none.csv"), tmp_path, open_to_all)
    with pytest.raises(UsageError, match="private_address"):
        opened(web.url("/none.csv"), tmp_path, FetchSettings())
    with pytest.raises(UsageError, match="is one file; name a list"):
        opened(web.url("/a.jpg"), tmp_path, open_to_all)
    with pytest.raises(UsageError, match="nothing may be fetched here"):
        open_source(web.url("/list.csv"), SourceSettings())


def test_a_list_may_count_from_a_url(buckets: Buckets, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\nb/x.jpg\n")
    source = opened(str(tmp_path / "list.csv"), tmp_path, buckets.settings(), root="s3://media/set")
    assert source.media_root == "s3://media/set"
    (row,) = source.found()
    assert isinstance(store(source, tmp_path, buckets.settings()).place(row.uri), Path)
