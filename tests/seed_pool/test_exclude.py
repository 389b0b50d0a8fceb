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
from pipeline.runners.local import LocalRunner
from pipeline.seed_pool.benchmarks import Benchmark, check_names, listing, media_column, parse_benchmark
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


def pan(name: str, first: int, count: int) -> bytes:
    """A camera that moves over a photo, 25 frames a second, from frame `first` on."""
    picture = photo(name)
    width = 256
    return film([np.asarray(picture.crop((2 * k, 60, 2 * k + width, 204))) for k in range(first, first + count)])


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


def folder_benchmark(tmp_path: Path) -> Benchmark:
    folder = tmp_path / "bench"
    (folder / "images").mkdir(parents=True)
    photo("china.jpg").save(folder / "images/china.jpg", quality=95)
    (folder / "broken.jpg").write_bytes((folder / "images/china.jpg").read_bytes()[:900])
    (folder / "LICENSE").write_text("free to use")
    return Benchmark("Bench", folder)


def test_copies_of_a_folder_of_media_go_and_the_report_says_which(work: Workplace, tmp_path: Path) -> None:
    details, written = work.contaminated(folder_benchmark(tmp_path))
    assert set(details) == {f"{kind}.jpg" for kind in PLANTED}
    assert details["jpeg 40.jpg"].startswith("near copy of images/china.jpg of benchmark Bench: 100% of the blocks")
    (bench,) = written["benchmarks"]
    assert (bench["items"], bench["contaminated_assets"], bench["contaminating_items"]) == (2, 4, 1)
    assert [(u["item"], u["reason"]) for u in bench["unreadable"]] == [("broken.jpg", "truncated")]
    assert {h["asset"] for h in bench["hits"]} == set(details)
    assert written["mteb"] == {"training_datasets": ["Bench"], "without_exclusion": ["Bench"]}
    assert json.loads(json.dumps(written)) == written


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


@pytest.mark.parametrize("form", ["struct", "bytes", "list", "path"])
def test_parquet_holds_bytes_or_names_files(form: str, work: Workplace, tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    (folder / "media").mkdir(parents=True)
    photo("china.jpg").save(folder / "media/china.png")
    data = (folder / "media/china.png").read_bytes()
    columns = {
        "struct": {"image": [None, {"bytes": data, "path": "china.png"}]},
        "bytes": {"image": [b"nonsense", data]},
        "list": {"images": [[], [{"bytes": data, "path": None}]]},
        "path": {"file_name": ["gone.png", "media/china.png"], "text": ["a", "b"]},
    }
    pq.write_table(pa.table(columns[form]), folder / "test.parquet")
    details, written = work.contaminated(Benchmark("Bench", folder / "test.parquet"))
    assert set(details) == {f"{kind}.jpg" for kind in PLANTED}
    assert all("test.parquet row 1" in d for d in details.values())
    unread = {u["item"].split(" (")[0]: u["reason"] for u in written["benchmarks"][0]["unreadable"]}
    expected = {"struct": "empty_file", "path": "missing"}
    assert unread == ({"test.parquet row 0": expected[form]} if form in expected else {})


def test_paths_out_of_the_benchmarks_folder_are_not_opened(work: Workplace, tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    folder.mkdir()
    pq.write_table(pa.table({"path": ["../pool/other.jpg", "/etc/hostname"]}), folder / "test.parquet")
    details, written = work.contaminated(Benchmark("Bench", folder / "test.parquet"))
    assert details == {}
    assert {u["reason"] for u in written["benchmarks"][0]["unreadable"]} == {"outside_media_root"}


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
    with pytest.raises(UsageError, match="no folder and no Parquet"):
        parse_benchmark(str(bench.path / "LICENSE"))
    with pytest.raises(UsageError, match="twice"):
        check_names([bench, bench])


def test_parquet_without_media_is_named_with_its_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"question": ["what?"], "answer": ["that"]}), tmp_path / "qa.parquet")
    with pytest.raises(UsageError, match="question, answer"):
        media_column(tmp_path / "qa.parquet")
    (tmp_path / "no.parquet").write_text("not Parquet")
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        media_column(tmp_path / "no.parquet")
