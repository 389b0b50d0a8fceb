"""What was taken out does not come back: under its name, under another name, cut in another way."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.config import Config, PictureSettings, RunnerSettings, SeedPoolSettings
from pipeline.errors import DataError, UsageError
from pipeline.media.fingerprint import file_sha256
from pipeline.media.frames import FrameStore
from pipeline.runners.local import LocalRunner
from pipeline.schemas import ASSETS, ASSETS_REJECTED
from pipeline.seed_pool.recipe import structure
from pipeline.seed_pool.removal import plan
from pipeline.seed_pool.removed import Tombstones, read_tombstones, uri_alone, write_tombstones
from pipeline.seed_pool.sources import open_source
from pipeline.seed_pool.sources.repeats import once
from pipeline.seed_pool.sources.rows import Found, tables
from pipeline.stage import dead, live
from pipeline.store.removal import Removal
from pipeline.store.resume import resumable_map
from pipeline.store.shards import Manifest, write_dataset
from tests.media.films import film, noise_scene
from tests.media.stills import encoded, picture
from tests.runners.steps import Silent

SIZE = (200, 200)


def write_pool(out: Path, kept: list[dict[str, Any]], rejected: list[dict[str, Any]] | None = None) -> None:
    for name, rows, schema in (("assets", kept, ASSETS), ("rejected", rejected or [], ASSETS_REJECTED)):
        table = pa.Table.from_pylist(rows, schema=schema)
        write_dataset(out / "seed_pool" / name, table, schema, Manifest(len(rows), "p"), out / ".work")


def shaped(root: Path, gone: Tombstones) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Kept and rejected rows of a folder after the stages that see files."""
    config = Config(seed_pool=SeedPoolSettings(pictures=PictureSettings(max_edge_width_px=256)))  # soft pictures count
    stages = structure(FrameStore(root.parent / "cache", root, config.frames), config, gone)
    found = tables(gone.hidden(open_source(str(root), config.seed_pool.sources).found()), 100)
    work = root.parent / ".work" / "structure-x"
    shutil.rmtree(work, ignore_errors=True)
    rows = resumable_map(LocalRunner(RunnerSettings()), stages, found, work, Silent()).read()
    return live(rows).to_pylist(), [r for t in uri_alone([dead(rows)]) for r in t.to_pylist()]


@pytest.fixture
def media(tmp_path: Path) -> Path:
    root = tmp_path / "media"
    root.mkdir()
    for seed, name in enumerate(("a.jpg", "b.jpg")):
        (root / name).write_bytes(encoded(picture(seed, SIZE), "JPEG"))
    (root / "a.txt").write_text("a secret caption")
    (root / "v.mp4").write_bytes(film([*noise_scene(1, 40, (256, 192)), *noise_scene(2, 40, (256, 192))]))
    return root


def test_a_file_is_known_by_its_name_and_by_its_bytes(media: Path) -> None:
    shutil.copy(media / "a.jpg", media / "z.jpg")
    (media / "z.txt").write_text("a secret caption")
    sha256 = file_sha256(media / "a.jpg")
    gone = Tombstones("salt").plus(Removal(uris=frozenset({"a.jpg"}), files=frozenset({sha256})))
    kept, rejected = shaped(media, gone)
    assert {r["uri"] for r in kept} == {"b.jpg", "v.mp4"}
    assert {(r["uri"], r["reason"]) for r in rejected} == {("a.jpg", "removed"), ("z.jpg", "removed")}
    assert "secret" not in str(rejected)
    assert sha256 not in str(rejected)


def test_a_segment_stays_away_however_the_video_is_cut(media: Path) -> None:
    kept, _ = shaped(media, Tombstones("salt"))
    first, second = [r for r in kept if r["uri"] == "v.mp4"]
    part = (first["uri"], first["sha256"], first["start_s"], first["end_s"])
    gone = Tombstones("salt").plus(Removal(parts=frozenset({part})))
    left, rejected = shaped(media, gone)
    assert [r["asset_id"] for r in left if r["uri"] == "v.mp4"] == [second["asset_id"]]
    assert [(r["uri"], r["reason"], r.get("start_s")) for r in rejected] == [("v.mp4", "removed", None)]
    store = FrameStore(media.parent / "cache", media, Config().frames)
    assert not store.path(first["asset_id"]).exists()
    assert store.path(second["asset_id"]).exists()
    assert gone.has_span(first["sha256"], first["start_s"] + 0.3, first["end_s"] + 9)
    assert not gone.has_span(first["sha256"], first["end_s"], first["end_s"] + 1)


def test_tombstones_name_nothing_and_survive_the_disk(tmp_path: Path) -> None:
    first = read_tombstones(tmp_path)
    assert not first
    removal = Removal(
        uris=frozenset({"a.jpg"}), files=frozenset({"f" * 64}), parts=frozenset({("v", "e" * 64, 1.0, 2.0)})
    )
    write_tombstones(tmp_path, first.plus(removal))
    again = read_tombstones(tmp_path)
    assert again == first.plus(removal).plus(removal)
    assert again.has("a.jpg")
    assert again.has("f" * 64)
    assert not again.has("b.jpg")
    text = (tmp_path / "removed.json").read_text()
    assert not any(word in text for word in ("a.jpg", "f" * 64, "e" * 64))


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"salt": 1, "digests": []})])
def test_damaged_tombstones_stop_a_build(tmp_path: Path, text: str) -> None:
    (tmp_path / "removed.json").write_text(text)
    with pytest.raises(DataError, match="bring back"):
        read_tombstones(tmp_path)


def row(asset_id: str | None, uri: str, sha256: str | None, start_s: float | None = None) -> dict[str, Any]:
    end_s = None if start_s is None else start_s + 1
    return {"asset_id": asset_id, "uri": uri, "sha256": sha256, "start_s": start_s, "end_s": end_s}


POOL = [
    row("a1", "x/a.jpg", "A"),
    row("b1", "x/b.jpg", "B"),
    row("v1", "v.mp4", "V", 0.0),
    row("v2", "v.mp4", "V", 1.0),
]
LOST = [row("a1", "copy.jpg", "A"), row(None, "x/broken.jpg", None), row("v3", "v.mp4", "V", 2.0)]


@pytest.mark.parametrize(
    ("assets", "sources", "uris", "gone"),
    [
        (["a1"], [], {"x/a.jpg", "copy.jpg"}, {"a1"}),
        ([], ["copy.jpg"], {"x/a.jpg", "copy.jpg"}, {"a1"}),
        ([], ["x"], {"x/a.jpg", "x/b.jpg", "x/broken.jpg", "copy.jpg"}, {"a1", "b1"}),
        ([], ["x/b*"], {"x/b.jpg", "x/broken.jpg"}, {"b1"}),
        ([], ["v.mp4"], {"v.mp4"}, {"v1", "v2", "v3"}),
        (["v1"], ["x/b.jpg"], {"x/b.jpg"}, {"v1", "b1"}),
        (["v1"], ["v.mp4"], {"v.mp4"}, {"v1", "v2", "v3"}),
    ],
)
def test_what_is_meant(tmp_path: Path, assets: list[str], sources: list[str], uris: set[str], gone: set[str]) -> None:
    write_pool(tmp_path, POOL, LOST)
    removal = plan(tmp_path, assets, sources)
    assert (removal.uris, removal.assets) == (uris, gone)
    assert removal.parts == ({("v.mp4", "V", 0.0, 1.0)} if "v1" in gone and "v.mp4" not in uris else set())


@pytest.mark.parametrize(("assets", "sources"), [(["nobody"], []), ([], ["nothing/*"]), ([], ["x/a"])])
def test_what_is_not_there_is_an_error(tmp_path: Path, assets: list[str], sources: list[str]) -> None:
    write_pool(tmp_path, POOL, LOST)
    with pytest.raises(UsageError, match="nothing in"):
        plan(tmp_path, assets, sources)


def test_every_row_of_a_list_that_names_what_was_taken_out_says_no_more_than_its_own_uri() -> None:
    gone = Tombstones("salt").plus(Removal(uris=frozenset({"a.jpg"})))
    rows = [Found("a.jpg", None, {"source_caption": "a text"}, row=f"l.csv/{i}/path") for i in range(3)]
    found = list(once(gone.hidden(rows)))
    assert [f.uri for f in found] == ["a.jpg", "l.csv/1/path", "l.csv/2/path"]
    assert {(f.verdict, str(f.known)) for f in found} == {(("removed", "taken out by seed-pool remove"), "{}")}
