"""The recipe as a whole, on media that every stage before the models rejects: no model is loaded."""

import json
from pathlib import Path

import pytest

from pipeline.config import Config, LabelSettings, RunnerSettings, SeedPoolSettings
from pipeline.runners.local import LocalRunner
from pipeline.seed_pool import recipe
from pipeline.seed_pool.recipe import SeedPool, build_seed_pool
from pipeline.store.shards import read_dataset
from tests.media.stills import encoded, picture
from tests.runners.steps import Silent

TAXONOMY = "image: {All: {things: {describe: things}}}\nvideo: {All: {clips: {describe: clips}}}\n"


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "small.jpg").write_bytes(encoded(picture(1), "JPEG"))
    (folder / "page.mp4").write_bytes(b"<html>no film</html>")
    return folder


def build(media: Path, config: Config | None = None, **models: str) -> SeedPool:
    wanted = config or Config()
    return build_seed_pool(
        str(media), media.parent / "out", wanted, LocalRunner(RunnerSettings(kind="local")), Silent(), models
    )


def test_everything_found_is_kept_or_rejected_and_a_second_run_is_not_made(media: Path) -> None:
    pool = build(media)
    rejected = read_dataset(pool.folder / "rejected").to_pylist()
    assert {r["uri"]: r["reason"] for r in rejected} == {"page.mp4": "not_media", "small.jpg": "low_resolution"}
    assert (pool.kept, pool.rejected, pool.reused) == (0, 2, False)
    assert [c.stage for c in pool.counts][:5] == ["discover", "probe", "provenance", "quality", "scenes"]
    assert all(c.rows_kept + sum(c.rejected.values()) == c.rows_out for c in pool.counts)
    assert build(media).reused


def test_a_picture_with_several_captions_in_a_list_counts_once(media: Path) -> None:
    """As COCO and Flickr30k have it, five rows a picture."""
    listed = media / "captions.csv"
    rows = [f"{name},caption {i}\n" for i in range(5) for name in ("page.mp4", "small.jpg")]
    listed.write_text("path,caption\n" + "".join(rows) + ",no path\n,no path either\n")
    pool = build(listed)
    rejected = read_dataset(pool.folder / "rejected").to_pylist()
    reasons = {r["uri"]: r["reason"] for r in rejected}
    assert len(rejected) == len(reasons) == 12
    assert (reasons["page.mp4"], reasons["small.jpg"]) == ("not_media", "low_resolution")
    assert {reasons[f"captions.csv/{i}/path"] for i in range(2, 10)} == {"duplicate"}
    assert (reasons["captions.csv"], reasons["captions.csv/11/path"]) == ("empty_path", "empty_path")
    assert [r["source_caption"] for r in rejected if r["uri"] == "small.jpg"] == ["caption 0"]
    assert pool.counts[0].rejected == {"duplicate": 8, "empty_path": 2}
    assert pool.counts[1].rows_in == 2


def test_other_files_another_taxonomy_and_other_weights_make_another_pool(media: Path, tmp_path: Path) -> None:
    taxonomy = tmp_path / "tax.yaml"
    taxonomy.write_text(TAXONOMY)
    config = Config(seed_pool=SeedPoolSettings(label=LabelSettings(taxonomy=str(taxonomy))))
    build(media, config, aligner="weights 1")
    assert build(media, config, aligner="weights 1").reused
    assert not build(media, config, aligner="weights 2").reused
    taxonomy.write_text(TAXONOMY.replace("things", "stuff"))
    assert not build(media, config, aligner="weights 2").reused
    (media / "more.jpg").write_bytes(b"")
    assert build(media, config, aligner="weights 2").rejected == 3


@pytest.mark.parametrize("after", ["rejected", "assets"])
def test_a_run_that_dies_between_its_files_is_made_again(
    media: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    written, write = [], recipe.write_dataset

    def dying(folder: Path, *rest: object) -> int:
        rows = write(folder, *rest)  # type: ignore[arg-type]
        written.append(folder.name)
        if folder.name == after:
            raise KeyboardInterrupt
        return rows

    monkeypatch.setattr(recipe, "write_dataset", dying)
    with pytest.raises(KeyboardInterrupt):
        build(media)
    monkeypatch.undo()
    assert written[-1] == after
    pool = build(media)
    assert not pool.reused
    assert json.loads((pool.folder / "summary.json").read_text())["rejected"] == 2
    assert build(media).reused
