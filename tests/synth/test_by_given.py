"""What people said of their media becomes examples: word for word, in sub-datasets of its own."""

import json

import pytest

from pipeline.config import SynthSettings
from pipeline.store.shards import read_dataset
from pipeline.synth.by_given import language_code
from pipeline.synth.recipe import DATASETS
from tests.synth.samples import CAT, GREEN, asset, clip, pool
from tests.synth.test_recipe import CONFIG, run, write_pool


def cue(start_s, end_s, text):
    return {"start_s": start_s, "end_s": end_s, "text": text}


def made(tmp_path, name, *assets, **settings):
    """The rows of one task from a pool of `assets`, and its dataset.json."""
    write_pool(tmp_path, pool(*assets))
    config = CONFIG.model_copy(update={"synth": SynthSettings(**settings)})
    (result,) = run(tmp_path, name, config=config)
    rows = {part: read_dataset(result.folder / part).to_pylist() for part in DATASETS}
    return rows, json.loads((result.folder / "dataset.json").read_text())


def given(rows, kind):
    """{text or asset of a query: texts or ids of its positives} of one task type."""
    names = {q["query_id"]: q["text"] or q["asset_id"] for q in rows["queries"] if q["task_type"] == kind}
    texts = {d["doc_id"]: d["text"] or d["doc_id"] for d in rows["corpus"]}
    found = {}
    for r in rows["relevance"]:
        if r["query_id"] in names:
            assert (r["relevance"], r["source"]) == (1, "given")
            found.setdefault(names[r["query_id"]], set()).add(texts[r["doc_id"]])
    return found


def reasons(rows, stage):
    return {(r["asset_id"], r["reason"]) for r in rows["rejected"] if r["stage"] == stage}


def test_labels_are_classes_and_all_labels_of_the_pool_are_the_candidates(tmp_path):
    labels = {"a": "golden_retriever", "b": "tabby cat", "c": "Tabby Cat.", "d": None, "e": "..."}
    assets = [asset(name, GREEN, CAT) | {"given_label": label} for name, label in labels.items()]
    rows, spec = made(tmp_path, "image_classification", *assets)
    found = given(rows, "Given Category")
    assert found == {"a": {"golden retriever"}, "b": {"tabby cat"}, "c": {"tabby cat"}}
    texts = [d["text"] for d in rows["corpus"] if d["task_type"] == "Given Category"]
    assert sorted(texts) == ["golden retriever", "tabby cat"]
    assert ("e", "empty_answer") in reasons(rows, "check")
    assert spec["in_batch_negatives"] is False
    assert spec["instructions"]["Given Category"] == "Find the category that people gave the image."
    # beside what the other annotator wrote
    assert {q["task_type"] for q in rows["queries"]} == {"Given Category", "Object Recognition", "Scene Parsing"}
    assert {r["source"] for r in rows["relevance"]} == {"given", "synth"}


def test_a_caption_finds_its_picture_and_equal_captions_find_both(tmp_path):
    captions = {"a": "A boat at dawn", "b": "a boat at dawn.", "c": "c.jpg", "d": "boat", "e": "Лодка на рассвете"}
    assets = [asset(name) | {"source_caption": text} for name, text in captions.items()]
    rows, _ = made(tmp_path, "image_retrieval", *assets)
    assert given(rows, "Given Caption") == {"A boat at dawn": {"a", "b"}}
    assert reasons(rows, "given") == {("c", "nothing_given"), ("d", "nothing_given")}
    assert reasons(rows, "check") == {("e", "wrong_language")}
    assert ("b", "repeated_query") in reasons(rows, "assemble")


def test_a_caption_of_a_video_is_answered_by_all_its_segments(tmp_path):
    clips = [
        clip(name, "f", start, start + 2.0) | {"source_caption": "A man cooks rice"}
        for name, start in (("a", 0.0), ("b", 2.0))
    ]
    rows, _ = made(tmp_path, "video_retrieval", *clips, clip("c", "g", 0.0, 2.0))
    assert given(rows, "Given Caption") == {"A man cooks rice": {"a", "b"}}


def test_subtitles_find_the_segments_that_they_cover(tmp_path):
    said = [cue(0.5, 1.5, "take the red pan"), cue(3.5, 6.0, "now we wait here"), cue(6.5, 7.0, "yes")]
    clips = [
        clip("a", "f", 0.0, 4.0) | {"cues": said[:2]},
        clip("b", "f", 4.0, 10.0) | {"cues": said[1:]},
        clip("c", "g", 0.0, 4.0) | {"cues": [cue(1.0, 2.0, "Take the red pan.")]},
        clip("d", "h", 0.0, 4.0) | {"cues": [cue(1.0, 2.0, "oh")]},
    ]
    rows, spec = made(tmp_path, "moment_retrieval", *clips)
    assert given(rows, "Given Subtitle") == {"take the red pan": {"a", "c"}, "now we wait here": {"b"}}
    assert reasons(rows, "given") == {("d", "nothing_given")}
    assert "Given Subtitle" in spec["instructions"]
    assert not [r for r in rows["relevance"] if r["relevance"] == 0]


def test_a_caption_as_long_as_an_article_is_rejected(tmp_path):
    assets = [asset("a") | {"source_caption": "word " * 11}, asset("b") | {"source_caption": "word " * 10}]
    rows, _ = made(tmp_path, "image_retrieval", *assets, max_description_words=10)
    assert reasons(rows, "check") == {("a", "query_too_long")}


def test_a_language_that_somebody_names_counts(tmp_path):
    told = {
        "a": ("ru-RU", "Лодка на рассвете"),
        "b": ("German", "Ein Boot am Morgen"),
        "c": ("tlh", "bIjatlh e"),
        "d": (None, "a boat at dawn"),
    }
    assets = [asset(n) | {"source_language": lang, "source_caption": text} for n, (lang, text) in told.items()]
    rows, spec = made(tmp_path, "image_retrieval", *assets)
    assert {q["asset_id"]: q["language"] for q in rows["queries"]} == {"a": "ru", "b": "de", "d": "en"}
    assert reasons(rows, "given") == {("c", "unknown_language")}
    assert spec["languages"] == ["en", "de", "ru"]


@pytest.mark.parametrize(("said", "code"), [("en", "en"), ("EN_us", "en"), (" English ", "en"), ("x", "x")])
def test_languages_as_people_write_them(said, code):
    assert language_code(said) == code


def test_it_can_be_switched_off_and_changes_nothing_where_nothing_is_given(tmp_path):
    told = asset("a") | {"source_caption": "A boat at dawn"}
    rows, spec = made(tmp_path, "image_retrieval", told, given=False)
    assert given(rows, "Given Caption") == {}
    plain, plain_spec = made(tmp_path, "image_retrieval", asset("a"))
    assert (rows, spec) == (plain, plain_spec)
    assert "Given Caption" not in spec["instructions"]
