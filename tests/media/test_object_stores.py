"""Objects of an S3-compatible server, fetched as files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import FetchSettings, ObjectStoreSettings, SourceSettings
from pipeline.errors import MediaError
from pipeline.media import object_stores
from pipeline.media.remote import Remote
from pipeline.media.urls import parsed
from pipeline.seed_pool.sources import open_source
from tests.media.buckets import Buckets, s3_server
from tests.media.servers import Web, dripping, raw, reply, silent

PICTURE = bytes(range(256)) * 10_000  # more than one block


@pytest.fixture(scope="module")
def buckets() -> Iterator[Buckets]:
    with s3_server() as server:
        server.fill("media", {"p/a.jpg": PICTURE, "p/sub/ü #?%20.jpg": b"odd", "p/empty.jpg": b"", "dir/": b""})
        yield server


def reason(remote: Remote, url: str) -> tuple[str, str]:
    with pytest.raises(MediaError) as caught:
        remote.place(url)
    assert "\n" not in caught.value.detail
    return caught.value.reason, caught.value.detail


def test_objects_are_fetched_once_and_again_when_they_change(buckets: Buckets, tmp_path: Path) -> None:
    remote = Remote(tmp_path, buckets.settings(), "s3://media/p")
    path = remote.place("a.jpg")
    assert isinstance(path, Path)
    assert path.read_bytes() == PICTURE
    before = path.stat().st_mtime_ns
    assert remote.place("s3://media/p/a.jpg") == path
    assert path.stat().st_mtime_ns == before
    assert remote.at_hand("a.jpg") == path
    odd = remote.place("sub/ü #?%20.jpg")
    assert isinstance(odd, Path)
    assert odd.read_bytes() == b"odd"
    buckets.client.put_object(Bucket="media", Key="p/a.jpg", Body=b"new")
    new = remote.place("a.jpg")
    assert isinstance(new, Path)
    assert (new.read_bytes(), path.read_bytes()) == (b"new", PICTURE)
    assert remote.at_hand("a.jpg") == new


def test_what_is_not_there_or_no_object_is_missing(buckets: Buckets, tmp_path: Path) -> None:
    remote = Remote(tmp_path, buckets.settings(allow=("s3",)))
    for url in ("s3://media/none.jpg", "s3://media/p", "s3://nobody/a.jpg", "s3://media/dir"):
        assert reason(remote, url)[0] == "missing", url
    assert not list(tmp_path.rglob("*.jpg"))


def test_buckets_that_nobody_allowed_are_not_asked(
    buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's list must not read other buckets with the user's credentials."""
    monkeypatch.setattr(object_stores, "_store", lambda *_: pytest.fail("it was asked"))
    remote = Remote(tmp_path, buckets.settings(), "s3://media/p")
    for url in ("s3://media/secret.jpg", "s3://other/p/a.jpg", "gs://media/p/a.jpg", "s3://media/p2/a.jpg"):
        assert reason(remote, url)[0] == "not_allowed", url


def test_an_endpoint_in_a_url_is_no_endpoint(buckets: Buckets, tmp_path: Path) -> None:
    remote = Remote(tmp_path, buckets.settings(allow=("s3",)))
    assert reason(remote, "s3://user:secret@media/p/a.jpg?endpoint_override=http://169.254.169.254")[0] == "bad_url"
    found = reason(remote, "s3://media/none.jpg?endpoint_override=http://169.254.169.254/")
    assert found[0] in ("missing", "bad_url")


def test_too_large_objects_are_not_fetched(buckets: Buckets, tmp_path: Path) -> None:
    buckets.fill("large", {"a.jpg": PICTURE})
    remote = Remote(tmp_path, buckets.settings(allow=("s3",), max_bytes=9))
    assert reason(remote, "s3://large/a.jpg") == ("too_large", f"{len(PICTURE)} bytes, max_bytes is 9")
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_server_that_refuses_is_a_failure(tmp_path: Path, buckets: Buckets) -> None:
    for status in ("403 Forbidden", "500 Oops"):
        with Web() as server:
            server.answers["/media/a.jpg"] = reply(status=status)
            settings = buckets.settings(allow=("s3",))
            at = settings.model_copy(update={"s3": settings.s3.model_copy(update={"endpoint": server.url("")})})
            found, detail = reason(Remote(tmp_path, at), "s3://media/a.jpg")
            assert found == "fetch_failed", detail


@pytest.mark.timeout(60)
def test_a_server_that_says_nothing_or_drips_is_a_timeout(tmp_path: Path, buckets: Buckets) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n"

    def limited(server: Web, **changes: Any) -> Remote:
        settings = buckets.settings(allow=("s3",))
        store = settings.s3.model_copy(update={"endpoint": server.url("")})
        return Remote(tmp_path, settings.model_copy(update={"s3": store, **changes}))

    with Web() as server:
        server.answers |= {
            "/media/silent.jpg": silent(),
            "HEAD /media/drip.jpg": raw(head),
            "/media/drip.jpg": dripping(head),
        }
        assert reason(limited(server, timeout_s=1), "s3://media/silent.jpg")[0] == "fetch_timeout"
        assert reason(limited(server, max_fetch_s=0.5), "s3://media/drip.jpg") == (
            "fetch_timeout",
            "not done after max_fetch_s 0.5 s",
        )


def test_the_endpoint_of_the_environment_is_used(
    buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets.fill("elsewhere", {"a.jpg": b"x"})
    settings = buckets.settings(allow=("s3",))
    here = settings.model_copy(update={"s3": settings.s3.model_copy(update={"endpoint": None, "region": None})})
    monkeypatch.setenv("AWS_ENDPOINT_URL", buckets.endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    place = Remote(tmp_path, here).fetch(parsed("s3://elsewhere/a.jpg"))
    assert place.read_bytes() == b"x"


def test_folders_are_listed_one_at_a_time_with_what_identifies_an_object(buckets: Buckets) -> None:
    buckets.fill("tree", {"a": b"1", "a/b": b"22", "a/c/d": b"3", "x//y": b"4"})
    here = object_stores.listed(parsed("s3://tree"), buckets.settings())
    assert {name: blob.size for name, blob in here.blobs.items()} == {"a": 1}
    assert all(blob.mtime_ns for blob in here.blobs.values())
    assert (here.folders, here.unnamed) == ({"a": None, "x": None}, False)
    assert object_stores.listed(parsed("s3://tree/x"), buckets.settings()).unnamed
    empty = object_stores.listed(parsed("s3://tree/none"), buckets.settings())
    assert not empty.blobs
    assert not empty.folders


def test_google_cloud_storage_is_read_the_same_way(tmp_path: Path) -> None:
    """pyarrow's own client, on the answers that Google documents for its JSON API."""
    blob = {
        "kind": "storage#object",
        "name": "p/a b.jpg",
        "bucket": "media",
        "size": str(len(PICTURE)),
        "updated": "2026-01-02T03:04:05.678Z",
    }
    names = ("p/a b.jpg", "p/sub/deep/b.jpg", "p/mark/", "p/odd//c.jpg")
    listing = {"kind": "storage#objects", "items": [{**blob, "name": name} for name in names]}
    with Web() as server:
        server.answers |= {
            "/storage/v1/b/media/o/p%2Fa%20b.jpg": reply(json.dumps(blob).encode()),
            "/storage/v1/b/media/o/p%2Fa%20b.jpg?alt=media": reply(PICTURE),
            "/storage/v1/b/media/o?prefix=p%2F&includeTrailingDelimiter=false&pageToken=": reply(
                json.dumps(listing).encode()
            ),
        }
        store = ObjectStoreSettings(endpoint=server.url(""), anonymous=True)
        settings = FetchSettings(gs=store, max_fetch_s=5)
        remote = Remote(tmp_path, settings, "gs://media/p")
        place = remote.place("a b.jpg")
        assert isinstance(place, Path)
        assert place.read_bytes() == PICTURE
        assert remote.place("a b.jpg") == place
        assert sum("alt=media" in path for path in server.asked) == 1
        here = object_stores.listed(parsed("gs://media/p"), settings)
        assert {name: found.size for name, found in here.blobs.items()} == {"a b.jpg": len(PICTURE)}
        assert sorted(here.folders) == ["mark", "odd", "sub"]
        assert here.folders["odd"] == object_stores.Folder(unnamed=True)
        uris = [f.uri for f in open_source("gs://media/p/", SourceSettings(), Remote(tmp_path, settings)).found()]
        assert uris == ["a b.jpg", "odd//", "sub/deep/b.jpg"]
        assert reason(remote, "none.jpg")[0] == "missing"
        assert reason(remote, "gs://other/a.jpg")[0] == "not_allowed"
