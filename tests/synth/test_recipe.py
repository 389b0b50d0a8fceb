import hashlib
import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.config import Config, FetchSettings, FrameSettings, RunnerSettings, SynthSettings, VlmSettings
from pipeline.errors import ConfigError, UsageError
from pipeline.media.frames import FrameStore
from pipeline.media.jpeg import encode_jpeg
from pipeline.models.protocols import Pixels
from pipeline.runners.local import LocalRunner
from pipeline.schemas import ASSETS
from pipeline.store.shards import Manifest, read_dataset, read_manifest, write_dataset
from pipeline.synth import recipe
from pipeline.synth.recipe import show, synthesise
from pipeline.synth.tasks import TASKS
from tests.synth.samples import CAT, DOG, GREEN, NIGHT, PLAIN, SNOW, asset, clip, lines, pool

CONFIG = Config()
ROOT = Path(__file__).parents[2]
TITLE = replace(NIGHT, text=lines("THE END"))
ASSETS_BY_HAND = (
    asset("a", GREEN, CAT),
    asset("b", NIGHT, DOG),
    asset("c", PLAIN),
    clip("v", "f", 0, 2, TITLE),
    clip("w", "f", 3, 5, SNOW, CAT),
    clip("u", "f", 6, 7, PLAIN),
)


class Quiet:
    def begin(self, stages, rows):
        pass

    def advance(self, stage, rows_in, rows_out, rejected, seconds):
        pass

    def end(self):
        pass


class Untouchable:
    """A runner that must not be needed."""

    def map(self, stages, table, progress):
        raise AssertionError("asked to run")

    def map_parts(self, fn, parts):
        raise AssertionError("asked to run")


def write_pool(out, table):
    """A seed pool of `table`, named by what is in it."""
    name = hashlib.sha256(str(table.to_pylist()).encode()).hexdigest()
    manifest = Manifest(rows=len(table), fingerprint=name, media_root="/media/here")
    write_dataset(out / "seed_pool" / "assets", table, ASSETS, manifest, out / ".work")


@pytest.fixture
def out(tmp_path):
    write_pool(tmp_path, pool(*ASSETS_BY_HAND))
    return tmp_path


def run(out, *tasks, config=CONFIG, runner=None, **options):
    return synthesise(out, tasks, config, runner or LocalRunner(RunnerSettings()), Quiet(), **options)


def tables(folder):
    return {name: read_dataset(folder / name).to_pylist() for name in recipe.DATASETS}


def test_every_task_is_written_whole_with_what_the_contract_asks_for(out):
    results = run(out, "all")
    assert [r.task for r in results] == list(TASKS)
    for r in results:
        folder = out / "synth" / r.task
        assert r.folder == folder
        assert {p.name for p in folder.iterdir()} == {*recipe.DATASETS, "dataset.json", "summary.json"}
        data = json.loads((folder / "dataset.json").read_text())
        assert data == {
            "task": r.task,
            "instructions": TASKS[r.task].instructions,
            "languages": ["en"],
            "in_batch_negatives": TASKS[r.task].in_batch_negatives,
        }
        rows = tables(folder)
        assert r.queries == len(rows["queries"]) > 0
        due = {a["asset_id"] for a in ASSETS_BY_HAND if a["media"] == TASKS[r.task].medium}
        assert {x["asset_id"] for x in [*rows["queries"], *rows["rejected"]]} == due
        assert read_manifest(folder / "queries").media_root == "/media/here"
    assert list((out / ".work").iterdir()) == []


def test_summary_counts_queries_by_task_type_and_rejects_by_reason(out):
    run(out, "image_classification")
    summary = json.loads((out / "synth" / "image_classification" / "summary.json").read_text())
    assert summary["by_task_type"] == {
        "Object Recognition": 2, "Scene Parsing": 2, "Landmark Identification": 0, "Action Recognition": 0,
    }  # fmt: skip
    assert summary["by_reason"] == {"nothing_true_to_say": 1}
    assert [(c["stage"], c["rows_in"], c["rows_out"], c["rejected"]) for c in summary["counts"]] == [
        ("annotate", 3, 5, {"nothing_true_to_say": 1}),
        ("check", 4, 4, {}),
        ("assemble", 4, 4, {}),
    ]


def test_unchanged_task_is_not_made_again(out):
    first = run(out, "video_qa")[0]
    again = run(out, "video_qa", runner=Untouchable())[0]
    assert again.reused
    assert (again.queries, again.rejected) == (first.queries, first.rejected)


def test_overwrite_makes_it_again_with_the_same_rows(out):
    run(out, "video_qa")
    before = tables(out / "synth" / "video_qa")
    assert not run(out, "video_qa", overwrite=True)[0].reused
    assert tables(out / "synth" / "video_qa") == before


def test_other_settings_pool_or_prompt_make_it_again(out, monkeypatch):
    run(out, "video_qa")
    other = CONFIG.model_copy(update={"synth": SynthSettings(min_gap_s=0.6)})
    assert not run(out, "video_qa", config=other)[0].reused
    assert not run(out, "video_qa")[0].reused
    monkeypatch.setattr(recipe, "prompt_hash", lambda name: "another text")
    assert not run(out, "video_qa")[0].reused


@pytest.mark.parametrize(
    ("setting", "text"), [("personas", "image: [a {}]"), ("examples", "image_qa: {{en: []}} # {}")]
)
def test_another_text_in_a_file_that_prompts_take_from_makes_it_again_and_another_comment_does_not(
    out, tmp_path, setting, text
):
    file = tmp_path / "mine.yaml"
    config = CONFIG.model_copy(update={"synth": SynthSettings(**{setting: str(file)})})
    made = []
    for word in ("baker", "baker", "nurse"):
        file.write_text(text.format(word))
        made.append(run(out, "image_retrieval", config=config)[0].reused)
    assert made == [False, True, setting == "examples"]


def test_a_file_that_prompts_cannot_take_from_stops_the_run_before_anything_is_asked(out, tmp_path):
    (tmp_path / "mine.yaml").write_text("image_qa: {en: [{label: cat}]}")
    config = CONFIG.model_copy(update={"synth": SynthSettings(examples=str(tmp_path / "mine.yaml"))})
    with pytest.raises(ConfigError, match=r"mine.yaml: image_qa.en.0"):
        run(out, "video_qa", config=config, runner=Untouchable())


def test_settings_of_another_room_do_not(out):
    run(out, "video_qa")
    other = CONFIG.model_copy(update={"runner": RunnerSettings(workers=1)})
    assert run(out, "video_qa", config=other, runner=Untouchable())[0].reused
    patient = CONFIG.model_copy(update={"frames": FrameSettings(fetch=FetchSettings(timeout_s=1))})
    assert run(out, "video_qa", config=patient, runner=Untouchable())[0].reused


DIES = """
import os, signal, sys
from pathlib import Path
from pipeline.synth import recipe
from tests.synth.test_recipe import run

recipe.write_json = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
run(Path(sys.argv[1]), "video_qa", overwrite=True)
"""


def test_killed_run_leaves_the_old_task_in_place_and_the_next_one_makes_it_again(out):
    """The process dies where the new folder is written: no handler, no `finally` runs."""
    run(out, "video_qa")
    before = tables(out / "synth" / "video_qa")
    died = subprocess.run([sys.executable, "-c", DIES, out], cwd=ROOT, capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert tables(out / "synth" / "video_qa") == before
    assert not run(out, "video_qa", overwrite=True)[0].reused
    assert tables(out / "synth" / "video_qa") == before


def test_media_root_can_be_moved_and_moved_back(out):
    for root, reused in (("/elsewhere", False), ("/elsewhere", True), (None, False), (None, True)):
        assert run(out, "image_qa", media_root=root)[0].reused is reused
        manifests = [read_manifest(out / "synth" / "image_qa" / name) for name in recipe.DATASETS]
        assert {m.media_root for m in manifests} == {root or "/media/here"}


def test_missing_seed_pool_names_the_command_to_run(tmp_path):
    with pytest.raises(UsageError, match="seed-pool build"):
        run(tmp_path, "image_qa")


def test_unknown_task_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'image_qa'"):
        run(tmp_path, "image_qq")


def test_builtin_annotator_refuses_other_languages(out):
    config = CONFIG.model_copy(update={"synth": SynthSettings(languages=("en", "de"))})
    with pytest.raises(ConfigError, match="English only"):
        run(out, "image_qa", config=config)


def test_pool_without_media_of_the_task_gives_an_empty_data_set(tmp_path):
    table = pool(asset("a", GREEN, CAT))
    write_dataset(tmp_path / "seed_pool" / "assets", table, ASSETS, Manifest(1, "p"), tmp_path / ".work")
    (result,) = run(tmp_path, "moment_retrieval")
    assert (result.queries, result.rejected) == (0, 0)
    assert read_dataset(result.folder / "corpus").schema.names[0] == "doc_id"


def test_show_renders_the_prompt_of_an_asset_with_the_times_of_its_frames(out):
    store = FrameStore(out / "cache", Path("/media/here"), CONFIG.frames)
    for name, times in (("b", (0.0,)), ("v", (0.0, 1.0)), ("w", (3.0, 4.0)), ("u", (6.5,))):
        frame = encode_jpeg(np.zeros((8, 8, 3), np.uint8))
        store.put(name, Pixels((frame,) * len(times), times, video=name != "b"))
    assert '"file": "b.png"' in show(out, "image_qa", "b", CONFIG)
    german = CONFIG.model_copy(update={"synth": SynthSettings(languages=("de", "en"))})
    assert "German words" in show(out, "image_qa", "b", german)
    moments = show(out, "moment_retrieval", "w", CONFIG)
    assert "- segment 3, from 6.00 to 7.00: 1 frame, at 6.5" in moments
    assert '"segment": 1' in moments
    assert '"segment": 3' in moments
    with pytest.raises(UsageError, match="no image asset 'v'"):
        show(out, "image_qa", "v", CONFIG)
    with pytest.raises(UsageError, match=r"a\.png: missing: .* --media-root"):
        show(out, "image_qa", "a", CONFIG)


def test_a_vlm_is_asked_unless_the_adapter_is_builtin(out, tmp_path):
    """Replies of the named model become queries; what else can become of them is tested in test_by_vlm."""
    asked = []

    class Recorder(LocalRunner):
        def map(self, stages, table, progress):
            asked.extend(stages)
            return super().map(stages, table, progress)

    for name in "abc":
        Image.new("RGB", (32, 32), (200, 30, ord(name))).save(tmp_path / f"{name}.png")
    config = Config(vlm=VlmSettings(adapter="fake", batch_size=3), frames=FrameSettings(max_frames=2))
    (made,) = run(out, "image_qa", config=config, runner=Recorder(RunnerSettings()), media_root=str(tmp_path))
    assert asked[0].model.kind == "vlm"
    assert asked[0].model.settings == config.vlm
    assert asked[0].resources.batch_rows == 3
    assert asked[0].settings.frames.max_frames == 2
    assert (made.queries, made.rejected) == (3, 0)
    rows = tables(made.folder)
    assert all(re.fullmatch("question [0-9a-f]{16}", q["text"]) for q in rows["queries"])
    assert {q["asset_id"] for q in rows["queries"]} == set("abc")
    assert [r["relevance"] for r in rows["relevance"]] == [1, 0] * 3
    assert rows["undecided"] == []


def test_each_language_makes_a_sub_dataset_of_its_own(out, tmp_path):
    for name in "abc":
        Image.new("RGB", (32, 32), (200, 30, ord(name))).save(tmp_path / f"{name}.png")
    config = Config(vlm=VlmSettings(adapter="fake"), synth=SynthSettings(languages=("de", "en")))
    (made,) = run(out, "image_qa", config=config, media_root=str(tmp_path))
    rows = tables(made.folder)
    assert sorted((q["asset_id"], q["language"]) for q in rows["queries"]) == [
        (name, language) for name in "abc" for language in ("de", "en")
    ]
    language_of = {r["query_id"]: r["language"] for r in rows["queries"]}
    documents = {d["doc_id"]: d["language"] for d in rows["corpus"]}
    assert all(language_of[r["query_id"]] == documents[r["doc_id"]] for r in rows["relevance"])
    assert json.loads((made.folder / "dataset.json").read_text())["languages"] == ["de", "en"]
