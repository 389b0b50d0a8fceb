"""An item is taken out of everything: pool, tasks, mined rows, exports, caches, report."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipeline.cli.seed_pool import app
from pipeline.config import Config, MineSettings, RunnerSettings
from pipeline.media.fingerprint import file_sha256
from pipeline.mine.data_set import DataSet
from pipeline.mine.export import FORMATS
from pipeline.mine.export.recipe import ExportOptions, export
from pipeline.mine.recipe import MineOptions, mine_data_set, mine_negatives
from pipeline.models.fake import FakeVlm
from pipeline.models.protocols import Request
from pipeline.report.page import build_report
from pipeline.runners.local import LocalRunner
from pipeline.schemas import ASSETS, ASSETS_REJECTED
from pipeline.seed_pool.exclusion_report import Hit, entry, written
from pipeline.seed_pool.removal import plan
from pipeline.store.reply_cache.cached_vlm import remembering
from pipeline.store.reply_cache.stock import stock
from pipeline.store.shards import Manifest, read_dataset, write_dataset, write_json
from pipeline.synth.recipe import synthesise
from pipeline.takedown import take_out
from tests.integration.invariants import check_mined, check_pool, check_task
from tests.mine.loop import Loop
from tests.mine.planted import Colours, film, paint
from tests.runners.steps import Silent
from tests.synth.samples import CAT, DOG, GREEN, NIGHT, SNOW, lines

COLOURS = {
    "sky": (20, 20, 255),
    "sea": (0, 110, 255),
    "rose": (255, 10, 10),
    "blush": (255, 60, 60),
    "fog": (180, 180, 180),
}
WORDS = {"sky": "blue heaven", "sea": "blue waves", "rose": "red petals", "blush": "red cheeks", "fog": "grey nothing"}
MADE = ["image_classification", "image_qa", "image_retrieval", "moment_retrieval"]
T_POS, MARGIN = 0.2, 0.1


def pool_rows(root: Path) -> list[dict[str, Any]]:
    known = {
        "category": "Natural/landscape", "category_confidence": 0.9, "alignment": 0.5, "width_px": 200,
        "height_px": 200, "licence": "CC BY 4.0", "fingerprints": [],
    }  # fmt: skip
    rows = []
    for i, name in enumerate(COLOURS):
        sha256 = file_sha256(root / f"{name}.png")
        said = {"source_caption": WORDS[name], "given_label": f"label {name}", "author": f"Author of {name}"}
        facts = replace((GREEN, NIGHT, SNOW)[i % 3], text=lines(f"{name} shop"))
        more = {"facts": facts.to_json(), "labels": CAT if i % 2 else DOG, "description": f"Description of {name}."}
        asset_id = f"a{hashlib.sha256(sha256.encode()).hexdigest()[:20]}"
        rows.append(
            {**known, **said, **more, "asset_id": asset_id, "uri": f"{name}.png", "media": "image", "sha256": sha256}
        )
    sha256 = file_sha256(root / "film.mp4")
    for start, word in enumerate(("red", "green", "blue")):
        asset_id = f"a{hashlib.sha256(f'{sha256}{start}'.encode()).hexdigest()[:20]}"
        span = {"start_s": float(start), "end_s": start + 1.0, "duration_s": 3.0, "fps": 10.0}
        cue = {"start_s": start + 0.2, "end_s": start + 0.8, "text": f"now it is {word}"}
        said = {"cues": [cue], "source_caption": f"A film with {word}", "description": f"Film, {word}."}
        rows.append(
            {**known, **span, **said, "asset_id": asset_id, "uri": "film.mp4", "media": "video", "sha256": sha256}
        )
    return rows


def reply_about(*asset_ids: str) -> str:
    """What a VLM said of assets, kept as `synth run` would."""
    return f"A VLM on {' '.join(asset_ids)[::-1]}"


def keep_replies(out: Path, about: list[tuple[str, ...]]) -> None:
    vlm = FakeVlm(answer=lambda request, _: reply_about(*request.asset_ids))
    remembering(vlm, out / "cache").generate([Request("Describe it.", (), ids) for ids in about], {})


def replies(out: Path) -> int:
    return sum(kept.entries for kept in stock(out / "cache"))


@pytest.fixture
def out(tmp_path: Path, made: Path) -> Path:
    """A run of one's own to take things out of."""
    return Path(shutil.copytree(made, tmp_path / "out"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run: a pool by hand, all tasks, mining, an export, caches of frames, vectors and VLM replies."""
    root = tmp_path_factory.mktemp("made") / "media"
    folder = root.parent / "out"
    paint(root, **COLOURS)
    film(root / "film.mp4", *(COLOURS[n] for n in ("rose", "sea", "sky")))
    kept = pool_rows(root)
    sky = kept[0]
    lost = [
        {
            **sky,
            "uri": "copy of sky.png",
            "stage": "duplicates",
            "reason": "duplicate",
            "detail": "same bytes as sky.png",
        },
        {"uri": "near.png", "stage": "duplicates", "reason": "near_duplicate", "detail": "looks like sky.png"},
        {"uri": "l.csv/9/path", "stage": "discover", "reason": "duplicate", "detail": "names sky.png again"},
        {"uri": "small.png", "stage": "quality", "reason": "low_resolution", "detail": "9 x 9 px"},
    ]
    for name, rows, schema in (("assets", kept, ASSETS), ("rejected", lost, ASSETS_REJECTED)):
        table = pa.Table.from_pylist(rows, schema=schema)
        manifest = Manifest(len(rows), "pool", Config().model_dump(mode="json"), str(root))
        write_dataset(folder / "seed_pool" / name, table, schema, manifest, folder / ".work")
    write_json(folder / "seed_pool/summary.json", {"kept": len(kept), "rejected": len(lost), "counts": []})
    hits = [
        Hit("Bench", "1.png", None, sky["asset_id"], "copy of sky.png", "same bytes"),
        Hit("Bench", "2.mp4", (0.0, 1.0), "a0", "other.mp4 at 0.00..1.00 s", "3 of 4 frames agree"),
        Hit("Second", "9.png", None, sky["asset_id"], "copy of sky.png", "same bytes"),
    ]
    entries = [entry(name, folder.parent / name, 9, [], hits) for name in ("Bench", "Second")]
    write_json(folder / "seed_pool/exclusions.json", written(entries))
    synthesise(folder, MADE, Config(), LocalRunner(RunnerSettings()), Silent())
    model = Colours()
    wanted = Config(mine=MineSettings(t_pos=T_POS, margin=MARGIN))
    pool = read_dataset(folder / "seed_pool/assets")
    mine_negatives(folder, [], wanted, Loop(model), Silent(), MineOptions(model.fingerprint, pool))
    export(folder, [], FORMATS["ms-swift"], Loop(None), Silent(), ExportOptions(Config().frames))
    segments = [row["asset_id"] for row in kept if row["media"] == "video"]
    keep_replies(folder, [*((row["asset_id"],) for row in kept), tuple(segments)])
    (folder / ".work/structure-1").mkdir(parents=True, exist_ok=True)
    (folder / ".work/structure-1/part-0.parquet").write_text(str(sky))  # of a build that was killed
    return folder


def contents(out: Path) -> dict[str, str]:
    """Everything that lies below `out`, as text."""
    found = {}
    for path in sorted(p for p in out.rglob("*") if p.is_file()):
        is_table = path.suffix == ".parquet" and ".work" not in path.parts
        text = str(pq.read_table(path).to_pylist()) if is_table else path.read_bytes().decode("utf-8", "replace")
        found[str(path.relative_to(out))] = f"{path.name}\n{text}"
    return found


def whole(out: Path) -> set[str]:
    """All URIs of the pool; and the contract holds."""
    uris = {r["uri"] for n in ("assets", "rejected") for r in read_dataset(out / "seed_pool" / n).to_pylist()}
    check_pool(out, uris)
    for task in MADE:
        check_task(out, task)
        check_mined(out, task, T_POS, MARGIN)
    return uris


def vectors(out: Path) -> int:
    return sum(pq.read_metadata(p).num_rows for p in (out / "cache/embeddings").rglob("*.parquet"))


def test_nothing_but_a_reject_with_the_uri_is_left(out: Path) -> None:
    before = whole(out)
    sky = read_dataset(out / "seed_pool/assets").to_pylist()[0]
    mine = [
        sky["asset_id"],
        sky["sha256"],
        WORDS["sky"],
        "label sky",
        "Author of sky",
        "Description of sky",
        "sky shop",
        reply_about(sky["asset_id"]),
    ]
    listed = contents(out)
    assert all(any(word in text for text in listed.values()) for word in mine)
    assert vectors(out) > 0

    result = CliRunner().invoke(app, ["remove", "--asset", sky["asset_id"], "--out", str(out)])
    assert result.exit_code == 0, result.output
    for name, text in contents(out).items():
        assert not [word for word in mine if word.lower() in text.lower()], name
        if name not in ("report.html", "seed_pool/rejected/part-00000.parquet"):
            assert "sky.png" not in text, name
    assert whole(out) == before
    lost = {r["uri"]: r for r in read_dataset(out / "seed_pool/rejected").to_pylist()}
    for uri in ("sky.png", "copy of sky.png"):
        said = {k: v for k, v in lost[uri].items() if v is not None}
        assert said == {"uri": uri, "stage": "remove", "reason": "removed", "detail": "taken out by seed-pool remove"}
    assert "sky" not in lost["near.png"]["detail"]
    assert lost["small.png"]["detail"] == "9 x 9 px"


def test_what_was_found_in_benchmarks_is_counted_without_it(out: Path) -> None:
    path = out / "seed_pool/exclusions.json"
    take_out(out, plan(out, [], ["fog.png"]), dry=False)
    assert json.loads(path.read_text())["mteb"]["without_exclusion"] == ["Bench", "Second"]
    take_out(out, plan(out, [], ["copy of sky.png"]), dry=False)
    said = json.loads(path.read_text())
    counted = [(b["items"], b["contaminated_assets"], b["contaminating_items"]) for b in said["benchmarks"]]
    assert counted == [(9, 1, 1), (9, 0, 0)]
    assert [h["item"] for h in said["benchmarks"][0]["hits"]] == ["2.mp4"]
    assert said["mteb"] == {"training_datasets": [], "without_exclusion": ["Bench"]}


def test_counts_of_all_summaries_are_those_of_the_rows(out: Path) -> None:
    take_out(out, plan(out, [], ["rose.png"]), dry=False)
    pool = json.loads((out / "seed_pool/summary.json").read_text())
    assert (pool["kept"], pool["rejected"]) == (7, 5)
    assert pool["counts"][-1]["rejected"] == {"removed": 1}
    take_out(out, plan(out, [], ["fog.png"]), dry=False)
    pool = json.loads((out / "seed_pool/summary.json").read_text())
    assert [(c["rows_in"], c["rejected"]) for c in pool["counts"]] == [(8, {"removed": 2})]
    for task in MADE:
        made = json.loads((out / f"synth/{task}/summary.json").read_text())
        rows = {n: read_dataset(out / f"synth/{task}" / n) for n in ("queries", "corpus", "rejected")}
        assert (made["queries"], made["documents"], made["rejected"]) == tuple(map(len, rows.values()))
        assert sum(made["by_task_type"].values()) == made["queries"]
        mined = json.loads((out / f"mined/{task}/summary.json").read_text())
        train = read_dataset(out / f"mined/{task}/train").to_pylist()
        assert (mined["queries"], mined["kept"]) == (made["queries"], len(train))
        assert mined["negatives"] == sum(len(r["negatives"]) for r in train)
        assert mined["fewer_negatives"] == sum(len(r["negatives"]) < mined["max_negatives"] for r in train)
        assert sum(s["queries"] for s in mined["sub_datasets"]) == mined["queries"]
        assert mined["documents"] == made["documents"]


def test_other_rows_lose_the_document_alone(out: Path) -> None:
    folder = out / "mined/image_retrieval/train"
    before = {r["query_id"]: r for r in read_dataset(folder).to_pylist()}
    take_out(out, plan(out, [], ["rose.png"]), dry=False)
    after = {r["query_id"]: r for r in read_dataset(folder).to_pylist()}
    shared = [q for q in after if any(d["content"]["image"] == "rose.png" for d in before[q]["negatives"])]
    assert shared
    for query in shared:
        left = [d["doc_id"] for d in before[query]["negatives"] if d["content"]["image"] != "rose.png"]
        assert [d["doc_id"] for d in after[query]["negatives"]] == left
        assert "rose.png" not in [s["uri"] for s in after[query]["sources"]]


def test_one_segment_goes_and_its_siblings_stay(out: Path) -> None:
    before = whole(out)
    segments = [r for r in read_dataset(out / "seed_pool/assets").to_pylist() if r["media"] == "video"]
    take_out(out, plan(out, [segments[1]["asset_id"]], []), dry=False)
    assert whole(out) == before
    left = [r["asset_id"] for r in read_dataset(out / "seed_pool/assets").to_pylist() if r["media"] == "video"]
    assert left == [segments[0]["asset_id"], segments[2]["asset_id"]]
    text = str(contents(out))
    assert segments[1]["asset_id"] not in text
    assert "now it is green" not in text
    assert "now it is red" in text


def test_replies_about_it_go_also_those_about_others_too_and_the_rest_stays(out: Path) -> None:
    assert replies(out) == 9
    segments = [r["asset_id"] for r in read_dataset(out / "seed_pool/assets").to_pylist() if r["media"] == "video"]
    said = contents(out)
    losses = take_out(out, plan(out, [segments[1]], []), dry=True)
    assert [loss.gone for loss in losses if loss.where == "cache/replies"] == [2]
    assert contents(out) == said
    take_out(out, plan(out, [segments[1]], []), dry=False)
    text = str(contents(out))
    assert replies(out) == 7
    assert reply_about(segments[0]) in text
    for gone in (segments[1:2], segments):
        assert reply_about(*gone) not in text


def test_replies_about_what_no_pool_knows_any_more_go_with_any_removal(out: Path) -> None:
    """A segment of an earlier build may lie in the file that goes, and nothing tells."""
    keep_replies(out, [("a" + "0" * 20,)])
    take_out(out, plan(out, [], ["rose.png"]), dry=False)
    assert replies(out) == 8
    assert "0" * 20 not in str(contents(out))


def test_exports_that_held_it_are_deleted_with_their_media(out: Path) -> None:
    clips = set((out / "export/media").iterdir())
    assert clips
    take_out(out, plan(out, [], ["film.mp4"]), dry=False)
    assert not (out / "export/ms-swift/moment_retrieval").exists()
    assert not list((out / "export/media").iterdir())
    assert (out / "export/ms-swift/image_retrieval").is_dir()  # held nothing of it


def test_what_is_left_needs_no_model_to_be_mined_again(out: Path) -> None:
    take_out(out, plan(out, [], ["rose.png"]), dry=False)
    model = Colours()
    wanted = Config(mine=MineSettings(t_pos=T_POS, margin=MARGIN))
    options = MineOptions(model.fingerprint, read_dataset(out / "seed_pool/assets"))
    mine_negatives(out, [], wanted, Loop(model), Silent(), options)
    assert model.asked == []
    whole(out)


def test_a_dry_run_says_what_would_go_and_changes_nothing(out: Path, tmp_path: Path) -> None:
    before = contents(out)
    listing = tmp_path / "list.txt"
    listing.write_text("rose.png\n\nf*g.png\n")
    result = CliRunner().invoke(app, ["remove", "--list", str(listing), "--dry-run", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "rose.png" in result.output
    assert "fog.png" in result.output
    assert contents(out) == before


def test_a_killed_removal_can_be_started_again(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    removal = plan(out, [], ["rose.png"])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.takedown.remove_from_pool", killed)
    with pytest.raises(KeyboardInterrupt):
        take_out(out, removal, dry=False)
    monkeypatch.undo()
    take_out(out, plan(out, [], ["rose.png"]), dry=False)
    whole(out)
    assert "Author of rose" not in str(contents(out))


@pytest.mark.parametrize("given", [[], ["--asset", "nobody"], ["--source", "nothing.png"]])
def test_what_cannot_be_found_is_bad_usage(out: Path, given: list[str]) -> None:
    assert CliRunner().invoke(app, ["remove", *given, "--out", str(out)]).exit_code == 2


def data_set(out: Path, root: Path, name: str) -> dict[str, Any]:
    """Mine a data set of somebody's in which two of four pictures are called as those of the pool; its rows."""
    paint(root, **COLOURS)
    pairs = [
        {"query": "blue", "positive_image": ["sky.png", "sea.png"], "negative_image": "rose.png"},
        {"query": "red", "positive_image": "rose.png", "negative_image": "sky.png"},
    ]
    path = out.parent / f"{name}.jsonl"
    path.write_text("".join(json.dumps(p) + "\n" for p in pairs))
    wanted = Config(mine=MineSettings(t_pos=T_POS, margin=MARGIN))
    told = DataSet(path, media_root=str(root))
    mine_data_set(out, told, wanted, Loop(Colours()), Silent(), MineOptions("colours", media_root=str(root)))
    return mined_rows(out, name)


def mined_rows(out: Path, name: str) -> dict[str, Any]:
    return {r["query"]["text"]: r for r in read_dataset(out / "mined" / name / "train").to_pylist()}


def test_a_data_set_from_elsewhere_keeps_media_of_its_own_that_are_called_the_same(out: Path, tmp_path: Path) -> None:
    before = data_set(out, tmp_path / "elsewhere", "theirs")
    kept = vectors(out)
    sky = read_dataset(out / "seed_pool/assets").to_pylist()[0]
    result = CliRunner().invoke(app, ["remove", "--asset", sky["asset_id"], "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert mined_rows(out, "theirs") == before
    model = Colours()
    wanted = Config(mine=MineSettings(t_pos=T_POS, margin=MARGIN))
    told = DataSet(tmp_path / "theirs.jsonl", media_root=str(tmp_path / "elsewhere"))
    options = MineOptions("colours", media_root=str(tmp_path / "elsewhere"), overwrite=True)
    mine_data_set(out, told, wanted, Loop(model), Silent(), options)
    assert model.asked == []  # its vectors were left alone
    assert vectors(out) < kept


def test_a_data_set_from_elsewhere_loses_media_of_the_pool(out: Path, made: Path, tmp_path: Path) -> None:
    before = data_set(out, made.parent / "media", "shared")
    assert [p["content"]["image"] for p in before["blue"]["positives"]] == ["sky.png", "sea.png"]
    sky = read_dataset(out / "seed_pool/assets").to_pylist()[0]
    result = CliRunner().invoke(app, ["remove", "--asset", sky["asset_id"], "--out", str(out)])
    assert result.exit_code == 0, result.output
    after = mined_rows(out, "shared")
    assert [p["content"]["image"] for p in after["blue"]["positives"]] == ["sea.png"]
    assert after["red"]["negatives"] == [n for n in before["red"]["negatives"] if n["content"]["image"] != "sky.png"]
    for name, text in contents(out).items():
        if name.startswith(("mined", "datasets")):
            assert "sky.png" not in text, name


def test_data_sets_from_elsewhere_are_exported_and_shown(out: Path, tmp_path: Path) -> None:
    data_set(out, tmp_path / "elsewhere", "theirs")
    (exported,) = export(out, ["theirs"], FORMATS["ms-swift"], Loop(None), Silent(), ExportOptions(Config().frames))
    assert sum(exported.lines.values()) == 3  # a line a positive
    assert exported.skipped == {}
    page = build_report(out, Config()).read_text(encoding="utf-8")
    assert "theirs" in page
