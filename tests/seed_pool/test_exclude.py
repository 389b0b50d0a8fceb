"""Decontamination from files to rejects and report: planted copies go, everything else stays."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.config import DuplicateSettings, FrameSettings, ModelSettings, RunnerSettings, SceneSettings
from pipeline.errors import UsageError
from pipeline.media.frames import FrameStore
from pipeline.models.protocols import Picture
from pipeline.runners.local import LocalRunner
from pipeline.seed_pool.benchmarks import Benchmark, check_names, listing, parse_benchmark
from pipeline.seed_pool.copy_search import CopySearch
from pipeline.seed_pool.exclude import report
from pipeline.seed_pool.looking import looking
from pipeline.seed_pool.probe import probing
from pipeline.seed_pool.scenes import SplitSettings, scenes
from pipeline.stage import Step, live, numbered
from tests.media.edits import EDITS
from tests.media.films import film
from tests.runners.steps import Silent

FRAMES = FrameSettings(sample_fps=4)
PLANTED = ("rescale", "jpeg 40", "crop 10 %", "caption bar")


def photo(name: str) -> Image.Image:
    with Image.open(str(files("sklearn.datasets") / "images" / name)) as image:
        return image.convert("RGB")


def pictures(name: str, first: int, count: int) -> list[Picture]:
    """A camera that moves over a photo, 25 frames a second, from frame `first` on."""
    picture = photo(name)
    width = 256
    return [np.asarray(picture.crop((2 * k, 60, 2 * k + width, 204))) for k in range(first, first + count)]


def pan(name: str, first: int, count: int) -> bytes:
    return film(pictures(name, first, count))


class Workplace:
    """A pool of files below one folder, and the search for copies in it."""

    def __init__(self, folder: Path, looker: ModelSettings | None = None) -> None:
        self.root, self.looker = folder / "pool", looker
        self.store = FrameStore(folder / "cache", self.root, FRAMES)
        self.run = LocalRunner(RunnerSettings(kind="local"))
        self.root.mkdir(parents=True)
        limits = DuplicateSettings()
        self.search = CopySearch(self.run, self.store, self.reading, limits, folder / "work", "key", Silent())

    def reading(self, store: FrameStore) -> list[Step]:
        split = SplitSettings(store, SceneSettings())
        return [probing(store), scenes(split), looking(store, self.looker)]

    def pool(self) -> pa.Table:
        names = sorted(p.name for p in self.root.iterdir())
        table = numbered(pa.table({"uri": names}))
        return live(pa.concat_tables(self.run.map(self.reading(self.store), table, Silent())))

    def contaminated(self, *benchmarks: Benchmark) -> tuple[dict[str, str], dict[str, Any]]:
        exclusions = [e for b in benchmarks for e in self.search.read(b)]
        pool = self.pool()
        found = self.search.exclude(pool, exclusions).to_pylist()
        details = {u: v["detail"] for u, v in zip(pool["uri"].to_pylist(), found, strict=True) if v}
        return details, report(exclusions, self.search.hits)


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    place = Workplace(tmp_path)
    for kind in PLANTED:
        EDITS[kind](photo("china.jpg")).save(place.root / f"{kind}.jpg")
    photo("flower.jpg").save(place.root / "other.jpg")
    return place


def tabled(path: Path, columns: dict[str, list[Any]]) -> Path:
    """Write a Parquet or Arrow file."""
    table = pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    return path


def folder_benchmark(tmp_path: Path) -> Benchmark:
    folder = tmp_path / "bench"
    (folder / "images").mkdir(parents=True)
    photo("china.jpg").save(folder / "images/china.jpg", quality=95)
    (folder / "broken.jpg").write_bytes((folder / "images/china.jpg").read_bytes()[:900])
    (folder / "LICENSE").write_text("free to use")
    (folder / "page.jpg").write_text("<html>not found</html>")
    return Benchmark("Bench", folder)


def test_copies_of_a_folder_of_media_go_and_the_report_says_which(work: Workplace, tmp_path: Path) -> None:
    details, written = work.contaminated(folder_benchmark(tmp_path))
    assert set(details) == {f"{kind}.jpg" for kind in PLANTED}
    assert details["jpeg 40.jpg"].startswith("near copy of images/china.jpg of benchmark Bench: 100% of the blocks")
    (bench,) = written["benchmarks"]
    assert (bench["items"], bench["contaminated_assets"], bench["contaminating_items"]) == (3, 4, 1)
    unreadable = [(u["item"], u["reason"]) for u in bench["unreadable"]]
    assert unreadable == [("broken.jpg", "truncated"), ("page.jpg", "not_media")]
    assert {h["asset"] for h in bench["hits"]} == set(details)
    assert written["mteb"] == {"training_datasets": ["Bench"], "without_exclusion": ["Bench"]}
    assert json.dumps(written)


def test_what_is_in_two_benchmarks_or_twice_in_one_is_reported_each_time(work: Workplace, tmp_path: Path) -> None:
    first, second = folder_benchmark(tmp_path), Benchmark("Other", tmp_path / "other")
    photo("china.jpg").resize((320, 213)).save(first.path / "small.png")
    second.path.mkdir()
    (second.path / "same.jpg").write_bytes((work.root / "jpeg 40.jpg").read_bytes())
    (second.path / "copy of same.jpg").write_bytes((work.root / "jpeg 40.jpg").read_bytes())
    details, written = work.contaminated(first, second)
    assert all("of benchmark Bench" in d for d in details.values())
    copied = (["images/china.jpg", "small.png"], ["copy of same.jpg", "same.jpg"])
    for bench, items in zip(written["benchmarks"], copied, strict=True):
        assert (bench["contaminated_assets"], bench["contaminating_items"]) == (4, 2)
        assert {(h["asset"], h["item"]) for h in bench["hits"]} == {(a, i) for a in details for i in items}
        assert len(bench["hits"]) == 8
    evidence = {(h["asset"], h["item"]): h["evidence"] for h in written["benchmarks"][1]["hits"]}
    assert evidence["jpeg 40.jpg", "same.jpg"] == evidence["jpeg 40.jpg", "copy of same.jpg"] == "same bytes"
    assert written["mteb"]["without_exclusion"] == ["Bench", "Other"]


def test_a_film_of_which_several_segments_are_copied_is_one_item(tmp_path: Path) -> None:
    work = Workplace(tmp_path)
    whole = [*pictures("china.jpg", 0, 75), *pictures("flower.jpg", 0, 75)]
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/clip.mp4").write_bytes(film(whole))
    (work.root / "again.mp4").write_bytes(film(whole, options={"crf": "30"}))
    _, written = work.contaminated(Benchmark("Clips", tmp_path / "videos"))
    (bench,) = written["benchmarks"]
    assert (bench["contaminated_assets"], bench["contaminating_items"], len(bench["hits"])) == (2, 1, 2)
    assert sorted(h["span_s"] for h in bench["hits"]) == [(0.0, 3.0), (3.0, 6.0)]


def test_a_clip_shifted_by_two_seconds_goes(tmp_path: Path) -> None:
    work = Workplace(tmp_path)
    (work.root / "shifted.mp4").write_bytes(pan("china.jpg", 50, 100))
    (work.root / "other.mp4").write_bytes(pan("flower.jpg", 50, 75))
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/clip.mp4").write_bytes(pan("china.jpg", 0, 100))
    details, written = work.contaminated(Benchmark("Clips", tmp_path / "videos"))
    assert set(details) == {"shifted.mp4"}
    assert "near copy of clip.mp4 at 0.00..4.00 s of benchmark Clips" in details["shifted.mp4"]
    assert "offset +2.00 s, overlap 50%" in details["shifted.mp4"]
    assert written["mteb"] == {"training_datasets": [], "without_exclusion": ["Clips"]}


@pytest.mark.parametrize("form", ["struct", "bytes", "list", "path", "nested"])
@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_tables_hold_bytes_or_name_files(form: str, suffix: str, work: Workplace, tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    (folder / "media").mkdir(parents=True)
    photo("china.jpg").save(folder / "media/china.png")
    data = (folder / "media/china.png").read_bytes()
    columns = {
        "struct": {"image": [None, {"bytes": data, "path": "china.png"}]},
        "bytes": {"image": [b"nonsense", data]},
        "list": {"images": [[], [{"bytes": data, "path": None}]]},
        "path": {"file_name": ["gone.png", "media/china.png"], "text": ["a", "b"]},
        "nested": {"turns": [[], [{"shown": {"bytes": data, "path": None}, "said": "look"}]]},
    }
    table = tabled(folder / f"test.{suffix}", columns[form])
    details, written = work.contaminated(Benchmark("Bench", table))
    assert set(details) == {f"{kind}.jpg" for kind in PLANTED}
    column = {"list": "images", "path": "file_name", "nested": "turns.shown"}.get(form, "image")
    assert all(f"test.{suffix} row 1, {column}" in d for d in details.values())
    unread = {u["item"].split(" (")[0]: u["reason"] for u in written["benchmarks"][0]["unreadable"]}
    expected = {"bytes": "not_media", "path": "missing"}
    assert unread == ({f"test.{suffix} row 0, {column}": expected[form]} if form in expected else {})


@pytest.mark.parametrize("form", ["struct", "bytes", "path", "mixed", "lists"])
def test_every_column_of_media_counts(form: str, work: Workplace, tmp_path: Path) -> None:
    """Composed retrieval: a query's picture and its target's; pictures 1 to n of a question."""
    folder = tmp_path / "bench"
    folder.mkdir()
    for name in ("flower", "china"):
        photo(f"{name}.jpg").save(folder / f"{name}.png")
    query, target = ((folder / f"{name}.png").read_bytes() for name in ("flower", "china"))
    columns: dict[str, dict[str, list[Any]]] = {
        "struct": {"query_image": [{"bytes": query, "path": None}], "target_image": [{"bytes": target, "path": "t"}]},
        "bytes": {"image_1": [query], "image_2": [target], "image_3": [None]},
        "path": {"query_image": ["flower.png"], "caption": ["redder"], "targetImage": ["china.png"]},
        "mixed": {"query_image": [{"bytes": query, "path": None}], "target_image": ["china.png"]},
        "lists": {"images": [["flower.png"]], "videos": [[{"bytes": target, "path": None}]]},
    }
    for name in ("flower", "china"):
        if form not in ("path", "mixed", "lists"):
            (folder / f"{name}.png").unlink()
    details, written = work.contaminated(Benchmark("Bench", tabled(folder / "test.parquet", columns[form])))
    assert set(details) == {"other.jpg", *(f"{kind}.jpg" for kind in PLANTED)}
    first, *_, second = [n for n in columns[form] if columns[form][n][0] is not None]
    assert f"test.parquet row 0, {first}" in details["other.jpg"]
    assert f"test.parquet row 0, {second}" in details["rescale.jpg"]
    (bench,) = written["benchmarks"]
    assert (bench["items"], bench["unreadable"]) == (2, [])


def test_the_name_that_bytes_once_had_is_no_item_and_a_second_picture_that_is_gone_is(tmp_path: Path) -> None:
    work = Workplace(tmp_path)
    photo("flower.jpg").save(work.root / "other.jpg")
    photo("china.jpg").save(tmp_path / "china.png")
    data = (tmp_path / "china.png").read_bytes()
    folder = tmp_path / "bench"
    folder.mkdir()
    columns = {"image": [data], "file_name": ["1.png"], "image_path": ["x/1.png"], "target_image": ["2.png"]}
    _, written = work.contaminated(Benchmark("Bench", tabled(folder / "test.parquet", columns)))
    (bench,) = written["benchmarks"]
    assert bench["items"] == 2
    assert [u["item"] for u in bench["unreadable"]] == ["test.parquet row 0, target_image (2.png)"]


def test_tables_of_the_same_name_in_two_folders_are_two(work: Workplace, tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    for split, name in (("train", "china"), ("test", "flower")):
        (folder / split).mkdir(parents=True)
        photo(f"{name}.jpg").save(tmp_path / f"{name}.png")
        tabled(folder / split / "0.parquet", {"image": [(tmp_path / f"{name}.png").read_bytes()]})
    details, written = work.contaminated(Benchmark("Bench", folder))
    assert "near copy of test/0.parquet row 0, image of benchmark" in details["other.jpg"]
    assert "near copy of train/0.parquet row 0, image of benchmark" in details["rescale.jpg"]
    assert written["benchmarks"][0]["items"] == 2


def test_paths_out_of_the_benchmarks_folder_are_not_opened(work: Workplace, tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    folder.mkdir()
    given = ["../pool/other.jpg", "/etc/hostname", "n" * 5000, "n\0"]
    pq.write_table(pa.table({"path": given}), folder / "test.parquet")
    bench = Benchmark("Bench", folder / "test.parquet")
    assert str(folder / "test.parquet") in [path for path, *_ in listing(bench)]
    details, written = work.contaminated(bench)
    assert details == {}
    reasons = {u["item"].partition("(")[2]: u["reason"] for u in written["benchmarks"][0]["unreadable"]}
    assert reasons["../pool/other.jpg)"] == reasons["/etc/hostname)"] == "outside_media_root"
    assert len(reasons) == len(given)


def test_any_embedder_can_propose(tmp_path: Path) -> None:
    work = Workplace(tmp_path, ModelSettings(adapter="fake"))
    photo("china.jpg").save(work.root / "copy.png")
    details, _ = work.contaminated(folder_benchmark(tmp_path))
    assert set(details) == {"copy.png"}


def test_a_name_may_be_given_and_a_changed_benchmark_is_another(tmp_path: Path) -> None:
    bench = folder_benchmark(tmp_path)
    assert parse_benchmark(f"VidoreDocVQA={bench.path}") == Benchmark("VidoreDocVQA", bench.path)
    assert parse_benchmark(str(bench.path)).name == "bench"
    before = listing(bench)
    photo("flower.jpg").save(bench.path / "more.jpg")
    assert listing(bench) != before
    with pytest.raises(UsageError, match="does not exist"):
        parse_benchmark(str(tmp_path / "gone"))
    with pytest.raises(UsageError, match="no folder and no Parquet or Arrow"):
        parse_benchmark(str(bench.path / "LICENSE"))
    with pytest.raises(UsageError, match="twice"):
        check_names([bench, bench])


def test_parquet_without_media_is_named_with_its_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"question": ["what?"], "answer": ["that"]}), tmp_path / "qa.parquet")
    with pytest.raises(UsageError, match="question, answer"):
        listing(Benchmark("Bench", tmp_path / "qa.parquet"))
    (tmp_path / "no.parquet").write_text("not Parquet")
    with pytest.raises(UsageError, match=r"no.parquet cannot be read"):
        listing(Benchmark("Bench", tmp_path / "no.parquet"))
