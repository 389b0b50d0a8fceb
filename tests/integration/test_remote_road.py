"""The whole road on media in a bucket: the same as on a folder that holds the same files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipeline.cli import mine, seed_pool, synth
from pipeline.store.shards import read_manifest
from tests.integration.media import write_video
from tests.media.buckets import Buckets, s3_server
from tests.media.servers import Web, reply
from tests.media.stills import encoded, picture

COMMANDS = {"seed-pool": seed_pool.app, "synth": synth.app, "mine": mine.app}
MODELS = [
    *(f"--set={name}.adapter=fake" for name in ("vlm", "aligner", "embedder")),
    "--set=seed_pool.align.min_alignment=-1",
    "--set=seed_pool.label.min_vlm_confidence=0",
    "--set=seed_pool.pictures.max_edge_width_px=256",  # the pictures here are soft
    "--set=frames.max_frames=2",
    "--runner=local",
]


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(COMMANDS[str(arguments[0])], [*map(str, arguments[1:]), *MODELS])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result.output


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for part in sorted(folder.glob("part-*.parquet")) for row in pq.read_table(part).to_pylist()]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    for i in range(4):
        (folder / f"{i}.jpg").write_bytes(encoded(picture(i, (320, 240)), "JPEG"))
    write_video(folder / "film.mp4", [(200, 40, 40), (40, 60, 210)])
    (folder / "page.mp4").write_text("<html>")
    (folder / "copy.jpg").write_bytes((folder / "0.jpg").read_bytes())
    return folder


@pytest.fixture(scope="module")
def buckets(media: Path) -> Iterator[Buckets]:
    with s3_server() as server:
        server.fill("media", {f"in/{p.name}": p.read_bytes() for p in media.iterdir()})
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
            yield server


def test_a_bucket_makes_the_same_pool_tasks_and_clips_as_a_folder(
    buckets: Buckets, media: Path, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    run("seed-pool", "build", media, "--out", here)
    run("seed-pool", "build", "s3://media/in", "--out", there)
    for name in ("assets", "rejected"):
        assert rows(here / "seed_pool" / name) == rows(there / "seed_pool" / name)
    manifest = read_manifest(there / "seed_pool" / "assets")
    assert manifest is not None
    assert manifest.media_root == "s3://media/in"
    assert "nothing has changed" in run("seed-pool", "build", "s3://media/in/", "--out", there)
    page = (there / "report.html").read_text()
    assert page.count("data:image/jpeg") == (here / "report.html").read_text().count("data:image/jpeg")

    # The originals are asked for again where the cache is gone.
    shutil.rmtree(there / "cache")
    run("synth", "run", "--task=all", "--out", there)
    run("mine", "--t-pos=-1", "--margin=1", "--out", there)
    run("mine", "export", "--format=ms-swift", "--out", there)
    lines = [
        json.loads(line)
        for file in (there / "export").rglob("*.jsonl")
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    named = set(re.findall(r'"(/[^"]*|s3:[^"]*)"', json.dumps(lines)))
    assert named
    assert all(Path(path).is_file() for path in named)


def test_what_is_removed_is_no_longer_in_the_fetched_files(buckets: Buckets, tmp_path: Path) -> None:
    buckets.fill("taken", {f"{i}.jpg": encoded(picture(i, (320, 240)), "JPEG") for i in (5, 6)})
    run("seed-pool", "build", "s3://taken", "--out", tmp_path)
    fetched = {p.read_bytes() for p in (tmp_path / "cache" / "fetched").rglob("*.jpg")}
    assert len(fetched) == 2
    CliRunner().invoke(seed_pool.app, ["remove", "--source", "5.jpg", "--out", str(tmp_path)], catch_exceptions=False)
    left = {p.read_bytes() for p in (tmp_path / "cache" / "fetched").rglob("*.jpg")}
    assert left == {encoded(picture(6, (320, 240)), "JPEG")}


def test_an_object_that_changed_is_made_anew(buckets: Buckets, tmp_path: Path) -> None:
    buckets.fill("moving", {"a.jpg": encoded(picture(8, (320, 240)), "JPEG")})
    run("seed-pool", "build", "s3://moving", "--out", tmp_path)
    (before,) = rows(tmp_path / "seed_pool" / "assets")
    buckets.client.put_object(Bucket="moving", Key="a.jpg", Body=encoded(picture(9, (322, 240)), "JPEG"))
    run("seed-pool", "build", "s3://moving", "--out", tmp_path)
    (after,) = rows(tmp_path / "seed_pool" / "assets")
    assert before["asset_id"] != after["asset_id"]
    assert after["width_px"] == 322


def test_media_that_moved_to_a_bucket_are_found_by_the_media_root(
    buckets: Buckets, media: Path, tmp_path: Path
) -> None:
    moving = tmp_path / "moving"
    shutil.copytree(media, moving)
    run("seed-pool", "build", moving, "--out", tmp_path / "out")
    shutil.rmtree(moving)
    shutil.rmtree(tmp_path / "out" / "cache")
    root = "--media-root=s3://media/in"
    run("synth", "run", "--task=image_qa", "--out", tmp_path / "out", root)
    assert rows(tmp_path / "out" / "synth" / "image_qa" / "queries")
    run("mine", "--task=image_qa", "--t-pos=-1", "--margin=1", "--out", tmp_path / "out", root)
    run("mine", "export", "--format=ms-swift", "--out", tmp_path / "out", root)


def test_every_row_of_a_list_of_urls_is_kept_or_rejected(tmp_path: Path) -> None:
    """img2dataset's input, with rows as they are on the web."""
    with Web() as web:
        web.answers |= {
            "/a.jpg": reply(encoded(picture(1, (320, 240)), "JPEG")),
            "/page.jpg": reply(b"<html>"),
            "/no.jpg": reply(status="403 Forbidden"),
            "/empty.jpg": reply(b""),
        }
        names = ["a.jpg", "page.jpg", "no.jpg", "empty.jpg", "gone.jpg"]
        urls = [*map(web.url, (f"/{n}" for n in names)), "s3://secrets/x.jpg", "http://169.254.169.254/x", "https://"]
        (tmp_path / "list.csv").write_text("url,caption\n" + "".join(f"{u},words\n" for u in urls))
        build = ["seed-pool", "build", tmp_path / "list.csv", "--out", tmp_path / "out", "--set=frames.fetch.retries=0"]
        run(*build, "--set=frames.fetch.allow=[http, https]", code=1)  # servers of this machine are private
        lost = {r["uri"]: r["reason"] for r in rows(tmp_path / "out" / "seed_pool" / "rejected")}
        assert set(lost.values()) == {"private_address", "not_allowed", "bad_url"}
        assert web.asked == []
        allow = f"--set=frames.fetch.allow=['{web.url('/')}']"
        run(*build, allow, "--set=frames.fetch.private_addresses=true")
        kept = [r["uri"] for r in rows(tmp_path / "out" / "seed_pool" / "assets")]
        lost = {r["uri"]: r["reason"] for r in rows(tmp_path / "out" / "seed_pool" / "rejected")}
        assert kept == [web.url("/a.jpg")]
        assert list(map(lost.get, urls[1:6])) == ["not_media", "fetch_failed", "empty_file", "missing", "not_allowed"]
        assert list(map(lost.get, urls[6:])) == ["not_allowed", "bad_url"]
        assert len(kept) + len(lost) == len(urls)
