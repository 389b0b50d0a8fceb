from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import Calibration, Config, MineSettings, ModelSettings
from pipeline.errors import DataError, UsageError
from pipeline.mine.labels import ASSET_COLUMNS
from pipeline.mine.recipe import MinedTask, MineOptions, mine_negatives
from pipeline.schemas import ASSETS, MINE_REJECTED, TRAIN
from pipeline.store.shards import read_dataset
from tests.mine.loop import Loop, Silent
from tests.mine.planted import Colours, Row, broken_promises, film, paint, write_task

QUERIES: list[Row] = [
    {"query_id": "q-sky", "text": "blue"},
    {"query_id": "q-rose", "text": "red"},
    {"query_id": "q-fog", "text": "grey", "task_type": "Abstract"},
    {"query_id": "q-lost", "text": "green"},
    {"query_id": "q-far", "text": "red green"},
]
CORPUS: list[Row] = [
    {"doc_id": "d-sky", "image": "sky.png", "asset_id": "sky"},
    {"doc_id": "d-sea", "image": "sea.png", "asset_id": "sea"},
    {"doc_id": "d-rose", "image": "rose.png", "asset_id": "rose"},
    {"doc_id": "d-blush", "image": "blush.png", "asset_id": "blush"},
    {"doc_id": "d-fog", "image": "fog.png", "asset_id": "fog"},
    {"doc_id": "d-gone", "image": "gone.png", "asset_id": "gone"},
]
RELEVANCE: list[Row] = [
    {"query_id": "q-sky", "doc_id": "d-sky"},
    {"query_id": "q-rose", "doc_id": "d-rose"},
    {"query_id": "q-rose", "doc_id": "d-blush", "relevance": 0, "source": "given"},
    {"query_id": "q-fog", "doc_id": "d-fog"},
    {"query_id": "q-lost", "doc_id": "d-gone"},
    {"query_id": "q-far", "doc_id": "d-sky"},
]
POSITIVES = {r["query_id"]: {r["doc_id"]} for r in RELEVANCE if r.get("relevance", 1) == 1}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    media = tmp_path / "media"
    paint(media, sky=(20, 20, 255), sea=(0, 110, 255), rose=(255, 10, 10), blush=(255, 110, 110), fog=(180, 180, 180))
    write_task(tmp_path, "image_retrieval", QUERIES, CORPUS, RELEVANCE, media_root=media)
    return tmp_path


def config(**mine: Any) -> Config:
    return Config(mine=MineSettings(**{"t_pos": 0.6, "margin": 0.1, **mine}))


def mine(out: Path, wanted: Config | None = None, model: Colours | None = None, **options: Any) -> MinedTask:
    model = model or Colours()
    told = MineOptions(model.fingerprint, **options)
    (result,) = mine_negatives(out, [], wanted or config(), Loop(model), Silent(), told)
    return result


def rows(out: Path, part: str = "train") -> dict[str, dict[str, Any]]:
    table = read_dataset(out / "mined" / "image_retrieval" / part)
    return {r["query_id"]: r for r in table.to_pylist()}


def test_every_query_is_kept_or_rejected_with_its_reason_in_query_order(out: Path) -> None:
    result = mine(out)
    assert list(rows(out)) == ["q-sky", "q-rose", "q-fog"]
    lost = rows(out, "rejected")
    assert {q: r["reason"] for q, r in lost.items()} == {
        "q-lost": "no_positive_in_top_k",
        "q-far": "positive_below_t_pos",
    }
    assert lost["q-lost"]["detail"] == "none of 1 labelled positives is among 5 documents to search"
    assert "at rank 5, t+ 0.6" in lost["q-far"]["detail"]
    assert result.counts.rows_in == 5
    assert result.counts.rows_kept == 3
    assert result.summary["unreadable_documents"] == {"missing": 1}


def test_rows_have_the_schema_and_keep_every_promise(out: Path) -> None:
    mine(out)
    folder = out / "mined" / "image_retrieval"
    for part, schema in (("train", TRAIN), ("rejected", MINE_REJECTED)):
        (shard,) = (folder / part).glob("part-*.parquet")
        assert pq.read_schema(shard).equals(schema)
    for query, row in rows(out).items():
        assert broken_promises("image_retrieval", row, POSITIVES[query], 0.6, 0.1) == []


def test_a_row_says_what_it_was_made_of(out: Path) -> None:
    mine(out)
    row = rows(out)["q-rose"]
    assert row["instruction"] == "Find the picture."
    assert rows(out)["q-fog"]["instruction"] == "Find what it tells of."
    assert row["query"] == {"text": "red", "image": None, "video": None, "start_s": None, "end_s": None}
    (positive,) = row["positives"]
    assert (positive["doc_id"], positive["rank"], positive["source"]) == ("d-rose", 1, "synth")
    assert positive["content"]["image"] == "rose.png"
    assert [(n["doc_id"], n["source"], n["rank"]) for n in row["negatives"]] == [
        ("d-blush", "given", 2),
        ("d-fog", "mined", 3),
        ("d-sky", "mined", 4),
        ("d-sea", "mined", 5),
    ]
    assert [n["group_id"] for n in row["negatives"]] == ["d-blush", "d-fog", "d-sky", "d-sea"]
    assert (row["task"], row["task_type"], row["language"], row["asset_id"]) == ("image_retrieval", "Direct", "en", "a")
    assert row["in_batch_negatives"] is True


def test_an_explicit_negative_outside_the_top_k_is_a_candidate_without_a_rank(out: Path) -> None:
    mine(out, config(top_k=1))
    (negative,) = rows(out)["q-rose"]["negatives"]
    assert (negative["doc_id"], negative["rank"], negative["source"]) == ("d-blush", None, "given")


def test_near_duplicates_of_a_positive_are_no_negatives_and_are_counted(out: Path) -> None:
    loose = mine(out, config(guards={"near_duplicate_cosine": 0.93}))
    assert [n["doc_id"] for n in rows(out)["q-sky"]["negatives"]] == ["d-fog", "d-blush", "d-rose"]
    assert rows(out)["q-sky"]["positives"][0]["group_id"] == "d-sea"
    assert loose.summary["guard_hits"]["near_duplicate"] == 1
    assert loose.summary["near_duplicate_groups"] == 1
    strict = mine(out, config(guards={"near_duplicate": False}))
    assert "d-sea" in [n["doc_id"] for n in rows(out)["q-sky"]["negatives"]]
    assert strict.summary["guard_hits"]["near_duplicate"] == 0


def test_an_undecided_pair_is_no_negative_and_is_counted(out: Path) -> None:
    pair = {"query_id": "q-rose", "doc_id": "d-fog"}
    write_task(out, "image_retrieval", QUERIES, CORPUS, RELEVANCE, media_root=out / "media", undecided=[pair])
    result = mine(out)
    assert [n["doc_id"] for n in rows(out)["q-rose"]["negatives"]] == ["d-blush", "d-sky", "d-sea"]
    assert result.summary["guard_hits"]["undecided"] == 1


def test_fingerprints_of_the_pool_group_pictures(out: Path) -> None:
    blank = {f.name: None for f in ASSETS}
    pool = [{"asset_id": a, "uri": f"{a}.png", "sha256": a, "fingerprints": [3]} for a in ("sky", "rose")]
    assets = pa.Table.from_pylist([{**blank, **p} for p in pool], schema=ASSETS)
    mine(out, assets=assets)
    assert "d-rose" not in [n["doc_id"] for n in rows(out)["q-sky"]["negatives"]]
    with pytest.raises(DataError, match="fingerprints"):
        mine(out, assets=assets.select([c for c in ASSET_COLUMNS if c != "fingerprints"]))


def test_rows_name_their_media_with_what_is_known_of_them(out: Path) -> None:
    blank = {f.name: None for f in ASSETS}
    told = {"licence": "CC BY 4.0", "author": "Ann", "origin": "https://example.org"}
    pool = [blank | {"asset_id": "sky", "uri": "sky.png", "sha256": "sky", "fingerprints": [], **told}]
    mine(out, assets=pa.Table.from_pylist(pool, schema=ASSETS))
    for row in rows(out).values():
        contents = [row["query"], *(d["content"] for d in [*row["positives"], *row["negatives"]])]
        media = list(dict.fromkeys(c["image"] for c in contents if c["image"]))
        unknown = dict.fromkeys(told)
        assert row["sources"] == [{"uri": uri, **(told if uri == "sky.png" else unknown)} for uri in media]
    assert len(rows(out)["q-sky"]["sources"]) > 1


def test_files_with_the_same_bytes_are_one_source(out: Path) -> None:
    media = out / "media"
    (media / "copy.png").write_bytes((media / "sky.png").read_bytes())
    corpus = [*CORPUS, {"doc_id": "d-copy", "image": "copy.png", "asset_id": "copy"}]
    write_task(out, "image_retrieval", QUERIES, corpus, RELEVANCE, media_root=media)
    blank = {f.name: None for f in ASSETS}
    pool = [{"asset_id": a, "uri": f"{a}.png", "sha256": "same"} for a in ("sky", "copy")]
    assets = pa.Table.from_pylist([{**blank, **p} for p in pool], schema=ASSETS)
    wanted = config(guards={"near_duplicate": False})
    assert "d-copy" in [n["doc_id"] for n in mine_rows(out, wanted)]
    assert "d-copy" not in [n["doc_id"] for n in mine_rows(out, wanted, assets=assets)]


def mine_rows(out: Path, wanted: Config, **options: Any) -> list[dict[str, Any]]:
    mine(out, wanted, **options)
    negatives: list[dict[str, Any]] = rows(out)["q-sky"]["negatives"]
    return negatives


def test_a_query_that_cannot_be_read_is_rejected_with_the_reason_of_its_medium(tmp_path: Path) -> None:
    paint(tmp_path / "media", sky=(0, 0, 255))
    queries = [{"query_id": "q1", "image": "sky.png"}, {"query_id": "q2", "image": "gone.png"}]
    corpus = [{"doc_id": "d1", "text": "blue"}, {"doc_id": "d2", "text": "red"}]
    relevance = [{"query_id": q, "doc_id": "d1"} for q in ("q1", "q2")]
    write_task(tmp_path, "image_retrieval", queries, corpus, relevance, media_root=tmp_path / "media")
    result = mine(tmp_path)
    assert list(rows(tmp_path)) == ["q1"]
    (lost,) = rows(tmp_path, "rejected").values()
    assert (lost["query_id"], lost["stage"], lost["reason"]) == ("q2", "embed", "missing")
    assert result.summary["rejected"] == {"missing": 1}


def test_sub_datasets_do_not_see_each_others_documents(tmp_path: Path) -> None:
    queries = [
        {"query_id": "q1", "text": "red"},
        {"query_id": "q2", "text": "red", "task_type": "Abstract"},
        {"query_id": "q3", "text": "red", "language": "de"},
    ]
    kinds = [("Direct", "en"), ("Abstract", "en"), ("Direct", "de")]
    corpus = [
        {"doc_id": f"{colour}-{kind}-{language}", "text": text, "task_type": kind, "language": language}
        for kind, language in kinds
        for colour, text in (("right", "red"), ("wrong", "blue"))
    ]
    corpus.append({"doc_id": "shared", "text": "grey"})
    relevance = [{"query_id": f"q{i}", "doc_id": f"right-{k}-{s}"} for i, (k, s) in enumerate(kinds, 1)]
    write_task(tmp_path, "image_retrieval", queries, corpus, relevance)
    model = Colours()
    result = mine(tmp_path, model=model)
    for (kind, language), row in zip(kinds, rows(tmp_path).values(), strict=True):
        assert [n["doc_id"] for n in row["negatives"]] == ["shared", f"wrong-{kind}-{language}"]
    assert [(s["task_type"], s["language"], s["documents"]) for s in result.summary["sub_datasets"]] == [
        ("Abstract", "en", 3),
        ("Direct", "de", 3),
        ("Direct", "en", 3),
    ]
    assert len(model.asked) == 5  # red with two instructions, then the texts red, blue and grey without


def test_a_moment_of_the_positives_file_is_a_negative_only_behind_a_gap(tmp_path: Path) -> None:
    film(tmp_path / "media" / "film.mp4", (255, 0, 0), (200, 0, 120), (120, 0, 200), (0, 0, 255))
    film(tmp_path / "media" / "other.mp4", (120, 255, 0))
    moments = {"at0": (0.0, 1.0), "at1": (1.0, 2.0), "at2": (2.0, 3.0), "at3": (3.0, 4.0)}
    corpus: list[Row] = [
        {"doc_id": doc, "video": "film.mp4", "start_s": start, "end_s": end, "asset_id": "whole-film"}
        for doc, (start, end) in moments.items()
    ]
    corpus.append({"doc_id": "other", "video": "other.mp4", "start_s": 0.0, "end_s": 1.0, "asset_id": "other"})
    relevance: list[Row] = [{"query_id": "q", "doc_id": "at0"}, {"query_id": "q", "doc_id": "at3", "relevance": 0}]
    query = {"query_id": "q", "text": "red", "asset_id": "whole-film"}
    write_task(tmp_path, "moment_retrieval", [query], corpus, relevance, media_root=tmp_path / "media")
    result = mine(tmp_path)
    (row,) = read_dataset(tmp_path / "mined" / "moment_retrieval" / "train").to_pylist()
    assert [p["doc_id"] for p in row["positives"]] == ["at0"]
    assert [(n["doc_id"], n["source"]) for n in row["negatives"]] == [
        ("at2", "mined"),
        ("other", "mined"),
        ("at3", "synth"),
    ]
    assert result.summary["guard_hits"]["same_source"] == 1  # at1 touches the positive
    assert broken_promises("moment_retrieval", row, {"at0"}, 0.6, 0.1) == []


def test_the_summary_counts_and_draws_what_is_on_disk(out: Path) -> None:
    result = mine(out)
    saved = json.loads((out / "mined" / "image_retrieval" / "summary.json").read_text())
    assert saved == result.summary
    train = rows(out).values()
    negatives = [(n, r) for r in train for n in r["negatives"]]
    assert saved["negatives"] == len(negatives)
    assert saved["positives"] == sum(len(r["positives"]) for r in train)
    above = sum(n["score"] > r["positive_mean"] for n, r in negatives)
    assert saved["negatives_above_positive_mean"] == pytest.approx(above / len(negatives))
    assert saved["without_negatives"] == sum(not r["negatives"] for r in train)
    assert sum(saved["histogram"]["negatives"]) == len(negatives)
    uses = Counter(n["doc_id"] for n, _ in negatives)
    assert saved["hubness"]["negatives"]["largest"] == max(uses.values())
    assert saved["hubness"]["negatives"]["never"] == 1 - len(uses) / 5
    assert saved["hubness"]["recalled"] == {"n_k_skewness": 0.0, "largest": 5, "never": 0.0}
    assert saved["fewer_negatives"] == 3  # of 15
    assert saved["random_negatives"] == 0
    assert sum(saved["histogram"]["recalled"]) == 5 * 5  # five queries, five documents that can be read
    assert sum(saved["histogram"]["positives"]) == 4  # d-gone has no score
    assert saved["kept"] + sum(saved["rejected"].values()) == saved["queries"] == 5


def test_a_label_of_kin_to_the_positive_is_no_negative_unless_the_guard_is_off(tmp_path: Path) -> None:
    labels = ["golden retriever", "dog", "poodle", "red"]
    corpus = [{"doc_id": f"d-{i}", "text": text} for i, text in enumerate(labels)]
    queries = [{"query_id": "q", "text": "golden retriever", "asset_id": None}]
    write_task(tmp_path, "image_retrieval", queries, corpus, [{"query_id": "q", "doc_id": "d-0"}])
    told = mine(tmp_path, config(t_pos=-1, margin=1, guards={"near_duplicate": False}))
    assert {n["doc_id"] for n in rows(tmp_path)["q"]["negatives"]} == {"d-2", "d-3"}
    assert told.summary["guard_hits"]["related_label"] == 1
    mine(tmp_path, config(t_pos=-1, margin=1, guards={"near_duplicate": False, "related_label": False}))
    assert {n["doc_id"] for n in rows(tmp_path)["q"]["negatives"]} == {"d-1", "d-2", "d-3"}


def test_random_negatives_are_named_so_and_what_is_ambiguous_or_beyond_a_quota_says_why(out: Path) -> None:
    told = mine(out, config(top_k=1, fill="random", negatives=2))
    row = rows(out)["q-sky"]
    assert [(n["source"], n["rank"]) for n in row["negatives"]] == [("random", None)] * 2
    assert told.summary["random_negatives"] == sum(
        n["source"] == "random" for r in rows(out).values() for n in r["negatives"]
    )
    for query, row in rows(out).items():
        assert broken_promises("image_retrieval", row, POSITIVES[query], 0.6, 0.1) == []
    mine(out, config(max_queries_per_type=1))
    lost = {q: r for q, r in rows(out, "rejected").items() if r["reason"] == "over_type_quota"}
    assert len(lost) == 1
    assert next(iter(lost.values()))["detail"] == "Direct keeps 1 queries"
    mine(out, config(guards={"max_rivals": 0, "rival_epsilon": 0.3}))
    assert rows(out, "rejected")["q-rose"]["reason"] == "ambiguous"
    assert rows(out, "rejected")["q-rose"]["detail"].endswith("limit 0")


def test_a_round_is_compared_with_the_one_before_and_with_itself_differs_by_nothing(out: Path) -> None:
    first = mine(out)
    assert "previous" not in first.summary
    again = mine(out, previous=out / "mined")  # the very folder that is written
    said = again.summary["previous"]
    assert said["kept_before"] == said["kept_now"] == first.summary["kept"]
    assert said["negatives"] == said["negatives_again"] == first.summary["negatives"]
    assert [said[n] for n in ("gained", "lost", "positives_fallen", "negatives_risen")] == [0, 0, 0, 0]
    stricter = mine(out, config(t_pos=1), previous=out / "mined").summary["previous"]
    assert stricter["lost"] == stricter["lost_by_reason"]["positive_below_t_pos"] == stricter["positives_fallen"] > 0
    with pytest.raises(UsageError, match="holds no mined image_retrieval"):
        mine(out, previous=out / "nowhere")


def test_the_documents_most_like_a_positive_are_no_negatives_unless_judged_irrelevant(tmp_path: Path) -> None:
    media = tmp_path / "media"
    paint(media, sky=(20, 20, 255), sea=(10, 60, 255), dusk=(60, 10, 255), rose=(255, 10, 10), fog=(180, 180, 180))
    corpus: list[Row] = [{"doc_id": f"d-{n}", "image": f"{n}.png"} for n in ("sky", "sea", "dusk", "rose", "fog")]
    relevance: list[Row] = [
        {"query_id": "q-sky", "doc_id": "d-sky"},
        {"query_id": "q-sky", "doc_id": "d-dusk", "relevance": 0},
    ]
    write_task(tmp_path, "image_retrieval", QUERIES[:1], corpus, relevance, media_root=media)

    def negatives(share: float) -> set[str]:
        guards = {"near_duplicate": False, "near_positive_share": share}
        told = mine(tmp_path, config(t_pos=-1, margin=1, guards=guards))
        assert (told.summary["guard_hits"]["near_positive"] > 0) == (share > 0)
        return {n["doc_id"] for n in rows(tmp_path)["q-sky"]["negatives"]}

    assert negatives(0) == {"d-sea", "d-dusk", "d-rose", "d-fog"}
    assert negatives(0.5) == {"d-dusk", "d-rose", "d-fog"}  # of the two nearest one was judged


def test_scores_on_disk_and_thresholds_are_calibrated(out: Path) -> None:
    def with_map(calibration: Calibration, **mine_settings: float) -> Config:
        return config(**mine_settings).model_copy(update={"embedder": ModelSettings(calibration=calibration)})

    mine(out, with_map(Calibration()))
    cosine = rows(out)["q-rose"]["positives"][0]["score"]
    assert 0.99 < cosine < 0.9995
    steep = Calibration(cosine=(-1.0, 0.9995, 1.0), score=(-1.0, 0.0, 1.0))
    mine(out, with_map(steep))
    assert rows(out, "rejected")["q-rose"]["reason"] == "positive_below_t_pos"
    mine(out, with_map(steep, t_pos=-0.1))
    assert rows(out)["q-rose"]["positives"][0]["score"] == pytest.approx((cosine + 1) / 1.9995 - 1, abs=1e-5)


def test_an_unchanged_task_is_not_mined_again(out: Path) -> None:
    first, model = mine(out), Colours()
    again = mine(out, model=model)
    assert (first.reused, again.reused) == (False, True)
    assert again.summary == first.summary
    assert model.asked == []


@pytest.mark.parametrize("change", ["config", "model", "data", "overwrite", "pool", "summary", "rejected"])
def test_a_changed_task_is_mined_again(out: Path, change: str) -> None:
    mine(out)
    if change == "config":
        assert not mine(out, config(margin=0.0)).reused
    elif change == "model":
        assert not mine(out, model=Colours("newer")).reused
    elif change == "data":
        write_task(out, "image_retrieval", QUERIES[:2], CORPUS, RELEVANCE[:3], media_root=out / "media")
        assert not mine(out).reused
        assert len(rows(out)) == 2
    elif change == "overwrite":
        assert not mine(out, overwrite=True).reused
    elif change == "pool":
        blank = {f.name: None for f in ASSETS}
        assert not mine(out, assets=pa.Table.from_pylist([{**blank, "asset_id": "x"}], schema=ASSETS)).reused
    elif change == "summary":
        (out / "mined" / "image_retrieval" / "summary.json").unlink()
        assert not mine(out).reused
    else:
        (out / "mined" / "image_retrieval" / "rejected" / "_manifest.json").unlink()
        assert not mine(out).reused


class Killed(Colours):
    """Dies in the second batch."""

    def embed(self, items: Any, instruction: str = "") -> Any:
        if self.asked:
            raise KeyboardInterrupt
        return super().embed(items, instruction)


def test_a_killed_run_goes_on_to_the_same_rows(out: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(KeyboardInterrupt):
        mine(out, model=Killed())
    assert not (out / "mined").exists()
    mine(out)
    resumed = rows(out)
    mine(out, overwrite=True)
    assert rows(out) == resumed


def test_nothing_kept_and_nothing_to_mine_are_still_typed_data_sets(tmp_path: Path) -> None:
    write_task(tmp_path, "image_retrieval", [], [], [])
    result = mine(tmp_path)
    assert (rows(tmp_path), rows(tmp_path, "rejected"), result.summary["queries"]) == ({}, {}, 0)
    (shard,) = (tmp_path / "mined" / "image_retrieval" / "train").glob("part-*.parquet")
    assert pq.read_schema(shard).equals(TRAIN)


def test_an_unknown_task_is_a_usage_error(out: Path) -> None:
    with pytest.raises(UsageError, match="synth run --task video_qa"):
        mine_negatives(out, ["video_qa"], config(), Loop(Colours()), Silent(), MineOptions("colours"))


def test_more_queries_than_a_block_give_the_same_rows(out: Path) -> None:
    mine(out)
    whole = rows(out), rows(out, "rejected")
    mine(out, config(query_block=1))
    assert (rows(out), rows(out, "rejected")) == whole
