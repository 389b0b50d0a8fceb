from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.config import Config, MineSettings, ModelSettings
from pipeline.mine.recipe import MinedTask, MineOptions, mine_negatives
from pipeline.models.protocols import Item, Vectors
from pipeline.store.shards import read_dataset
from tests.mine.loop import Loop, Silent
from tests.mine.planted import Colours, paint, write_task

RERANKER = ModelSettings(adapter="sentence_transformers", model="colours")


class Judging(Colours):
    """Also a reranker: the logit of "query document" is what it was told, else -1."""

    def __init__(self, relevant: dict[str, float] | None = None) -> None:
        super().__init__(f"judging {relevant}")
        self.relevant, self.pairs = relevant or {}, list[tuple[str, str | None, str | None]]()

    def score(self, pairs: Sequence[tuple[str, Item, Item]]) -> Vectors:
        self.pairs += [(told, query.text, document.text) for told, query, document in pairs]
        return np.array([self.relevant.get(f"{q.text} {d.text}", -1.0) for _, q, d in pairs], np.float32)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    corpus = [
        {"doc_id": f"d-{name.replace(' ', '-')}", "text": name}
        for name in ("red", "red red grey", "pink", "blue", "grey")
    ]
    queries = [
        {"query_id": "q-red", "text": "red", "asset_id": None},
        {"query_id": "q-blue", "text": "blue", "asset_id": None},
    ]
    relevance = [
        {"query_id": "q-red", "doc_id": "d-red"},
        {"query_id": "q-red", "doc_id": "d-pink", "relevance": 0, "source": "given"},
        {"query_id": "q-blue", "doc_id": "d-blue"},
    ]
    write_task(tmp_path, "colours", queries, corpus, relevance)
    return tmp_path


def mine(out: Path, model: Judging, judge: dict[str, Any] | None = None, **settings: Any) -> MinedTask:
    told = MineSettings(**{"t_pos": 0.6, "margin": 0.1, "judge": judge or {}, **settings})
    config = Config(mine=told, reranker=RERANKER)
    options = MineOptions(model.fingerprint, reranker_fingerprint=model.fingerprint)
    (result,) = mine_negatives(out, [], config, Loop(model), Silent(), options)
    return result


def rows(out: Path) -> dict[str, dict[str, Any]]:
    return {r["query_id"]: r for r in read_dataset(out / "mined" / "colours" / "train").to_pylist()}


def test_every_positive_and_negative_has_its_logit_when_there_is_a_reranker(out: Path) -> None:
    model = Judging({"red red": 7.5, "red blue": -3.25})
    mine(out, model)
    row = rows(out)["q-red"]
    logits = {j["doc_id"]: j["logit"] for j in [*row["positives"], *row["negatives"]]}
    assert logits == {"d-red": 7.5, "d-blue": -3.25, "d-red-red-grey": -1.0, "d-pink": -1.0, "d-grey": -1.0}
    assert ("Find the picture.", "red", "blue") in model.pairs
    again = Judging({"red red": 7.5, "red blue": -3.25})
    mine(out, again, negatives=3)
    assert again.pairs == []  # of the same model the cache knows them all
    assert rows(out)["q-red"]["positives"][0]["logit"] == 7.5


def test_the_judge_drops_what_it_finds_relevant_near_the_positive_and_asks_about_nothing_else(out: Path) -> None:
    plain = mine(out, Judging())
    assert [n["doc_id"] for n in rows(out)["q-red"]["negatives"]][:2] == ["d-red-red-grey", "d-pink"]
    model = Judging({"red red red grey": 2.0, "red grey": 9.0, "red pink": 9.0})
    told = mine(out, model, {"on": True, "band": 0.2})
    negatives = [n["doc_id"] for n in rows(out)["q-red"]["negatives"]]
    assert "d-red-red-grey" not in negatives
    assert "d-grey" in negatives  # scores too little to be in doubt
    assert "d-pink" in negatives  # given as wrong: not for the judge to say
    assert told.summary["guard_hits"]["judged"] == 1
    assert told.summary["judged"] == 1
    assert told.summary["promoted"] == plain.summary["judged"] == 0
    assert not (out / "mined" / "colours" / "relevance").exists()


def test_the_next_one_takes_the_place_of_what_the_judge_drops(out: Path) -> None:
    mine(out, Judging(), negatives=1)
    assert [n["doc_id"] for n in rows(out)["q-red"]["negatives"]] == ["d-red-red-grey"]
    mine(out, Judging({"red red red grey": 2.0}), {"on": True, "band": 0.2}, negatives=1)
    assert [n["doc_id"] for n in rows(out)["q-red"]["negatives"]] == ["d-pink"]


def test_what_the_judge_promotes_is_a_positive_with_its_source_and_stands_in_relevance(out: Path) -> None:
    model = Judging({"red red red grey": 2.0})
    told = mine(out, model, {"on": True, "band": 0.2, "promote": True})
    row = rows(out)["q-red"]
    assert [(p["doc_id"], p["source"]) for p in row["positives"]] == [("d-red", "synth"), ("d-red-red-grey", "judge")]
    assert row["positive_mean"] == pytest.approx(np.mean([p["score"] for p in row["positives"]]))
    assert "d-red-red-grey" not in [n["doc_id"] for n in row["negatives"]]
    assert read_dataset(out / "mined" / "colours" / "relevance").to_pylist() == [
        {"query_id": "q-red", "doc_id": "d-red-red-grey", "relevance": 1, "source": "judge"}
    ]
    assert told.summary["promoted"] == 1
    mine(out, model, {"on": True, "band": 0.2})
    assert not (out / "mined" / "colours" / "relevance").exists()


def test_pictures_are_judged_too(tmp_path: Path) -> None:
    media = tmp_path / "media"
    paint(media, red=(255, 0, 0), rose=(255, 100, 100), blue=(0, 0, 255))
    corpus = [{"doc_id": f"d-{n}", "image": f"{n}.png"} for n in ("red", "rose", "blue")]
    queries = [{"query_id": "q-red", "text": "red", "asset_id": None}]
    write_task(tmp_path, "colours", queries, corpus, [{"query_id": "q-red", "doc_id": "d-red"}], media_root=media)
    mine(tmp_path, Judging({"red None": 5.0}))
    assert [(n["doc_id"], n["logit"]) for n in rows(tmp_path)["q-red"]["negatives"]] == [
        ("d-rose", 5.0),
        ("d-blue", 5.0),
    ]
    mine(tmp_path, Judging({"red None": 5.0}), {"on": True, "band": 0.3})
    assert [n["doc_id"] for n in rows(tmp_path)["q-red"]["negatives"]] == ["d-blue"]


def test_a_judge_needs_a_reranker_and_promoting_a_judge() -> None:
    with pytest.raises(ValidationError, match=r"set reranker\.adapter and reranker\.model"):
        Config(mine=MineSettings(judge={"on": True}))  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="switch both on"):
        Config(mine=MineSettings(judge={"promote": True}))  # type: ignore[arg-type]
