from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import FrameSettings, SynthSettings
from pipeline.runners.apply import apply_step
from pipeline.stage import rejects
from pipeline.synth.annotation import ADDS, Annotation
from pipeline.synth.assemble import assemble
from pipeline.synth.by_facts import by_facts
from pipeline.synth.checks import Checking, checking
from pipeline.synth.subjects import SUBJECTS, subjects
from pipeline.synth.tasks import TASKS
from pipeline.text import normalised
from tests.synth.samples import CAT, DOG, GREEN, LIMITS, NIGHT, PLAIN, SNOW, UNSURE, asset, clip, guess, lines, pool

SETTINGS = SynthSettings(min_gap_s=1.0, facts=LIMITS)


def written(name, assets, *examples, language="en"):
    """What a check stage would hand over: (asset, keys of a response) an example, as a VLM writes them."""
    spec = TASKS[name]
    rows = []
    for asset_id, keys in examples:
        if isinstance(keys, str):
            rows.append({"asset_id": asset_id, "reason": keys})
            continue
        kind = next(iter(spec.task_types))
        response = spec.response.model_validate({"description": "d", "task_type": kind, **keys})
        rows.append(
            {
                "asset_id": asset_id,
                "task_type": response.task_type,
                "response": response.model_dump_json(),
                "language": language,
            }
        )
    verdicts = [(r["reason"], "-") if "reason" in r else None for r in rows]
    schema = pa.schema([*ADDS, SUBJECTS.field("language")])
    table = pa.Table.from_pylist(rows, schema=schema).append_column("reject", rejects("annotate", verdicts))
    return assemble(spec, table, pool(*assets), SETTINGS)


def by_measurement(name, *assets):
    spec, table = TASKS[name], subjects(pool(*assets), TASKS[name], ["en"])
    annotated = apply_step(by_facts(Annotation(name, SETTINGS, FrameSettings(), None, None, 0)), table)
    return assemble(spec, apply_step(checking(Checking(name, SETTINGS)), annotated), pool(*assets), SETTINGS)


def pairs(data, relevance):
    """{text or asset of the query: texts or ids of its documents} of one relevance."""
    texts = {d["doc_id"]: d["text"] or d["doc_id"] for d in data.corpus.to_pylist()}
    names = {q["query_id"]: q["text"] or q["asset_id"] for q in data.queries.to_pylist()}
    result = {}
    for r in data.relevance.to_pylist():
        if r["relevance"] == relevance:
            result.setdefault(names[r["query_id"]], set()).add(texts[r["doc_id"]])
    return result


def undecided(data):
    return pairs(replace(data, relevance=data.undecided.append_column("relevance", [[9] * len(data.undecided)])), 9)


def reasons(data):
    return [(r["asset_id"], r["reason"]) for r in data.rejected.to_pylist()]


def qa(question, right, wrong):
    return {"question": question, "positive_answer": right, "hard_negative_answer": wrong}


def test_equal_answers_are_one_document_and_positive_for_each_query():
    data = written(
        "image_qa",
        [asset("a"), asset("b")],
        ("a", qa("What is it?", "A cup", "A vase")),
        ("b", qa("And this?", " a CUP.", "A bowl")),
    )
    assert [d["text"] for d in data.corpus.to_pylist()] == ["A cup", "A vase", "A bowl"]
    assert pairs(data, 1) == {"What is it?": {"A cup"}, "And this?": {"A cup"}}
    assert pairs(data, 0) == {"What is it?": {"A vase"}, "And this?": {"A bowl"}}
    assert reasons(data) == []


def test_corpus_holds_each_text_once_a_sub_dataset_not_once_a_task():
    other = {**qa("Why?", "A cup", "A vase"), "task_type": "Visual Reasoning"}
    data = written("image_qa", [asset("a"), asset("b")], ("a", qa("What?", "A cup", "A vase")), ("b", other))
    assert [d["text"] for d in data.corpus.to_pylist()] == ["A cup", "A vase", "A cup", "A vase"]
    assert len({d["doc_id"] for d in data.corpus.to_pylist()}) == 4


def test_query_of_qa_is_medium_and_question_and_of_classification_the_medium_alone():
    (q,) = written("video_qa", [clip("a", "f", 1, 2)], ("a", qa("What?", "x", "y"))).queries.to_pylist()
    assert (q["video"], q["start_s"], q["end_s"], q["text"], q["image"]) == ("f.mp4", 1, 2, "What?", None)
    labels = {"label": "cup", "misleading_label": "vase"}
    (q,) = written("image_classification", [asset("a")], ("a", labels)).queries.to_pylist()
    assert (q["image"], q["text"], q["video"], q["asset_id"]) == ("a.png", None, None, "a")


def test_retrieval_corpus_holds_all_assets_of_the_medium_also_rejected_ones():
    assets = [asset("a"), asset("b"), clip("v", "f", 0, 1)]
    data = written("image_retrieval", assets, ("a", {"query": "a red cup"}), ("b", "malformed_reply"))
    corpus = data.corpus.to_pylist()
    assert [(d["doc_id"], d["image"], d["task_type"], d["language"]) for d in corpus] == [
        ("a", "a.png", None, None),
        ("b", "b.png", None, None),
    ]
    assert pairs(data, 1) == {"a red cup": {"a"}}
    assert reasons(data) == [("b", "malformed_reply")]


def test_repeated_text_query_is_rejected_and_its_asset_becomes_a_positive_of_the_first():
    data = written(
        "image_retrieval", [asset("a"), asset("b")], ("a", {"query": "a red cup"}), ("b", {"query": " A red CUP! "})
    )
    assert pairs(data, 1) == {"a red cup": {"a", "b"}}
    assert reasons(data) == [("b", "repeated_query")]


@pytest.mark.parametrize("name", [n for n, s in TASKS.items() if s.query == "text"])
def test_query_that_claims_what_another_claims_repeats_it_whatever_its_phrase(name):
    """Thirty assets that look alike are asked for once in each task type, not once in each phrase."""
    looks = [(GREEN, CAT), (SNOW, DOG)]
    if TASKS[name].medium == "image":
        assets = [asset(f"{i}-{n}", *look) for i in range(30) for n, look in enumerate(looks)]
    else:
        assets = [clip(f"{i}-{n}", f"f{i}", 4 * n, 4 * n + 2, *look) for i in range(30) for n, look in enumerate(looks)]
    data = by_measurement(name, *assets)
    claimed = Counter((q["task_type"], q["asset_id"][-1]) for q in data.queries.to_pylist())
    assert claimed
    if name == "image_retrieval":  # which absent colours it names is drawn, so these may differ in what they claim
        claimed = {k: n for k, n in claimed.items() if k[0] != "Compositional Logical Constraints"}
    assert set(claimed.values()) == {1}
    by_id = {q["query_id"]: q["text"] for q in data.queries.to_pylist()}
    for reject in data.rejected.to_pylist():
        if reject["reason"] == "repeated_query":
            other = reject["detail"].split(" ")[2]
            assert reject["detail"].endswith(repr(by_id[other]))
    assert all(len(found) == 30 for text, found in pairs(data, 1).items() if " no " not in text)


def test_repeated_question_about_one_asset_is_rejected_and_adds_nothing():
    data = written(
        "image_qa", [asset("a")], ("a", qa("What?", "A cup", "A vase")), ("a", qa("What", "A bowl", "A pot"))
    )
    assert pairs(data, 1) == {"What?": {"A cup"}}
    assert reasons(data) == [("a", "repeated_query")]


def moment(query, start, end, far_start, far_end):
    return {
        "query": query, "start_s": start, "end_s": end, "irrelevant_start_s": far_start, "irrelevant_end_s": far_end,
    }  # fmt: skip


FILM = [clip("a", "f", 0, 4), clip("b", "f", 4, 8), clip("c", "f", 10, 20), clip("x", "g", 0, 9)]


def test_moment_is_relevant_at_half_of_the_shorter_and_irrelevant_only_with_a_gap():
    data = written("moment_retrieval", FILM, ("a", moment("a door", 0.0, 3.0, 10.0, 12.0)), ("x", "malformed_reply"))
    assert pairs(data, 1) == {"a door": {"a"}}
    assert pairs(data, 0) == {"a door": {"c"}}
    assert sorted(reasons(data)) == [("b", "grouped_with"), ("c", "grouped_with"), ("x", "malformed_reply")]
    details = {r["asset_id"]: r["detail"] for r in data.rejected.to_pylist()}
    assert details["b"] == details["c"] == "a"


def test_segment_that_only_touches_the_moment_is_not_judged_negative():
    data = written("moment_retrieval", FILM, ("a", moment("a door", 0.0, 3.5, 4.6, 8.0)), ("x", "malformed_reply"))
    assert pairs(data, 0) == {}  # the span has its gap of 1 s, but its segment begins half a second after the moment


def test_group_without_a_query_keeps_its_reason_on_the_first_segment():
    data = written("moment_retrieval", FILM, ("a", "reply_truncated"), ("x", "reply_truncated"))
    assert sorted(reasons(data)) == [
        ("a", "reply_truncated"),
        ("b", "grouped_with"),
        ("c", "grouped_with"),
        ("x", "reply_truncated"),
    ]


def test_label_true_of_two_assets_is_positive_of_both_and_negative_of_neither():
    data = by_measurement(
        "image_classification", asset("a", PLAIN, CAT), asset("b", PLAIN, DOG), asset("c", PLAIN, CAT)
    )
    assert pairs(data, 1) == {"a": {"tabby"}, "b": {"beagle"}, "c": {"tabby"}}
    assert pairs(data, 0) == {"a": {"lynx"}, "b": {"foxhound"}, "c": {"lynx"}}


def test_label_that_may_be_true_of_an_asset_is_undecided_for_it():
    both = [guess("beagle", 0.7, "foxhound"), guess("tabby", 0.2)]
    data = by_measurement("image_classification", asset("a", PLAIN, CAT), asset("b", PLAIN, both))
    assert pairs(data, 1) == {"a": {"tabby"}, "b": {"beagle"}}
    assert undecided(data) == {"b": {"tabby"}}


def test_scene_label_that_another_scene_implies_is_positive_as_well():
    grass = [
        asset("day", GREEN),
        asset("dusk", replace(GREEN, luma=30.0, luma_first=30.0, luma_last=30.0)),
    ]
    data = by_measurement("image_classification", *grass)
    assert pairs(data, 1) == {"day": {"mostly green scene"}, "dusk": {"dark, mostly green scene", "mostly green scene"}}


def test_answers_about_another_aspect_are_not_undecided():
    """`orange` the colour says nothing about `orange` the fruit."""
    data = by_measurement("image_qa", asset("a", GREEN, UNSURE), asset("b", NIGHT, CAT))
    assert undecided(data) == {}


def test_query_that_holds_of_several_assets_has_them_all_as_positives():
    assets = [asset("a", GREEN, CAT), asset("b", GREEN, CAT), asset("c", SNOW, DOG), asset("d", NIGHT)]
    data = by_measurement("image_retrieval", *assets)
    direct = [
        q for q in data.queries.to_pylist() if q["task_type"] == "Direct Visual Description" and q["asset_id"] == "a"
    ]
    assert pairs(data, 1)[direct[0]["text"]] == {"a", "b"}


def test_asset_that_a_query_may_fit_is_undecided_for_it():
    data = by_measurement("image_retrieval", asset("a", PLAIN, CAT), asset("b", PLAIN, UNSURE), asset("c", PLAIN, DOG))
    queries = {q["query_id"] for q in data.queries.to_pylist() if q["asset_id"] == "a"}
    assert len(queries) == 2
    open_ = {(u["query_id"], u["doc_id"]) for u in data.undecided.to_pylist()}
    assert {pair for pair in open_ if pair[0] in queries} == {(q, "b") for q in queries}


def test_irrelevant_segment_that_the_query_may_fit_is_undecided_and_not_negative():
    """The irrelevant span lies in a segment of which the claims are refuted, here and anywhere."""
    title = replace(NIGHT, text=lines("THE END"))
    blurred = replace(NIGHT, text=lines("THE END", confidence=0.5))
    clips = [clip("a", "f", 0, 2, title), clip("b", "f", 4, 6, blurred), clip("c", "f", 8, 12, SNOW)]
    data = by_measurement("moment_retrieval", *clips)
    (query,) = [q for q in pairs(data, 1) if "THE END" in q]
    assert pairs(data, 1)[query] == {"a"}
    assert pairs(data, 0)[query] == {"c"}
    assert undecided(data)[query] == {"b"}


names = st.sampled_from(list(TASKS))
looks = st.sampled_from([PLAIN, GREEN, NIGHT, SNOW])
guesses = st.sampled_from([[], CAT, DOG, UNSURE])


@given(names, st.lists(st.tuples(looks, guesses, st.integers(0, 2)), max_size=7))
def test_every_asset_is_accounted_for_and_every_pair_stands_on_both_sides(name, drawn):
    spec = TASKS[name]
    if spec.medium == "image":
        assets = [asset(f"a{i}", facts, labels) for i, (facts, labels, _) in enumerate(drawn)]
    else:
        assets = [
            clip(f"a{i}", f"f{file}", 3.0 * i, 3.0 * i + 2, facts, labels)
            for i, (facts, labels, file) in enumerate(drawn)
        ]
    data = by_measurement(name, *assets)
    queries, corpus, relevance = data.queries.to_pylist(), data.corpus.to_pylist(), data.relevance.to_pylist()
    assert {q["asset_id"] for q in queries} | {r["asset_id"] for r in data.rejected.to_pylist()} == {
        a["asset_id"] for a in assets
    }
    ids, docs = {q["query_id"] for q in queries}, {d["doc_id"] for d in corpus}
    assert len(ids) == len(queries)
    assert len(docs) == len(corpus)
    assert len({(r["query_id"], r["doc_id"]) for r in relevance}) == len(relevance)
    assert {r["query_id"] for r in relevance} <= ids
    assert {r["doc_id"] for r in relevance} <= docs
    assert {r["query_id"] for r in relevance if r["relevance"] == 1} == ids
    judged = {(r["query_id"], r["doc_id"]) for r in relevance}
    left_open = {(u["query_id"], u["doc_id"]) for u in data.undecided.to_pylist()}
    assert not judged & left_open
    assert all(q in ids and d in docs for q, d in left_open)
    texts = Counter((d["task_type"], normalised(d["text"])) for d in corpus if d["text"])
    assert set(texts.values()) <= {1}


@given(st.permutations(range(5)))
def test_rows_do_not_depend_on_the_order_of_other_assets(order):
    assets = [asset("a", GREEN, CAT), asset("b", NIGHT, DOG), asset("c", SNOW), asset("d", PLAIN, UNSURE), asset("e")]
    straight, shuffled = (by_measurement("image_qa", *a) for a in (assets, [assets[i] for i in order]))
    assert pairs(straight, 1) == pairs(shuffled, 1)
    assert pairs(straight, 0) == pairs(shuffled, 0)
    assert sorted(reasons(straight)) == sorted(reasons(shuffled))


def test_ids_stay_the_same_when_the_pool_grows():
    one = by_measurement("image_retrieval", asset("a", GREEN, CAT))
    two = by_measurement("image_retrieval", asset("z", NIGHT, DOG), asset("a", GREEN, CAT))
    assert {q["query_id"] for q in one.queries.to_pylist()} <= {q["query_id"] for q in two.queries.to_pylist()}


@pytest.mark.parametrize("name", TASKS)
def test_task_without_any_asset_gives_empty_typed_tables(name):
    data = by_measurement(name)
    assert [len(t) for t in (data.queries, data.corpus, data.undecided, data.rejected)] == [0, 0, 0, 0]
