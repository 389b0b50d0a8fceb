from dataclasses import replace

import pytest

from pipeline.config import SynthSettings
from pipeline.runners.apply import apply_step
from pipeline.synth.annotation import Annotation
from pipeline.synth.by_facts import by_facts, state
from pipeline.synth.claims import NEVER, Claim, from_json, holds
from pipeline.synth.subjects import subject, subjects
from pipeline.synth.tasks import TASKS
from tests.synth.samples import (
    CAT,
    DOG,
    GREEN,
    LIMITS,
    NIGHT,
    PLAIN,
    SNOW,
    asset,
    clip,
    guess,
    lines,
    pool,
    seen,
)


def stated(name, *assets):
    spec = TASKS[name]
    rows = subjects(pool(*assets), spec, ["en"]).to_pylist()
    return [state(spec, subject(row), LIMITS) for row in rows]


def responses(name, *assets):
    return [s.response for s in stated(name, *assets)[0]]


def test_sure_label_gives_object_recognition_with_its_confusable_neighbour():
    (response,) = responses("image_classification", asset("a", PLAIN, CAT))
    assert response.task_type == "Object Recognition"
    assert (response.label, response.misleading_label) == ("tabby", "lynx")


def test_label_whose_neighbour_may_be_true_too_is_not_used():
    labels = [guess("tabby", 0.7, "lynx"), guess("lynx", 0.2)]
    assert stated("image_classification", asset("a", PLAIN, labels)) == [
        (
            "nothing_true_to_say",
            (
                "label tabby 0.70 (limit 0.6), colour brown 0.20 (limit 0.45), luma 120, "
                "halves differ by 0 (limit 25), lines of text 0"
            ),
        )
    ]


def test_scene_names_light_and_colour_and_its_wrong_label_only_changes_the_colour():
    (response,) = responses("video_classification", clip("a", "f", 0, 3, NIGHT))
    assert response.label == "dark, mostly black scene"
    assert response.misleading_label.startswith("dark, mostly ")
    assert response.misleading_label != response.label


@pytest.mark.parametrize("name", ["image_classification", "video_classification"])
@pytest.mark.parametrize("facts", [NIGHT, SNOW, GREEN])
def test_wrong_scene_is_one_that_could_be(name, facts):
    make = {"image": asset, "video": lambda i, f: clip(i, "f", 0, 3, f)}[TASKS[name].medium]
    labels = {responses(name, make(f"asset {i}", facts))[0].misleading_label for i in range(60)}
    assert len(labels) > 1
    assert not labels & {f"{light}, mostly {colour} scene" for light, colours in NEVER.items() for colour in colours}


@pytest.mark.parametrize(
    ("colours", "said"),
    [
        ((("green", 0.3), ("blue", 0.3), ("grey", 0.2), ("white", 0.2)), "green and blue"),
        ((("green", 0.3), ("blue", 0.2), ("grey", 0.2), ("white", 0.2)), "partly green"),
    ],
)
def test_picture_without_a_dominant_colour_is_described_by_the_large_ones(colours, said):
    (response, *_) = responses("video_retrieval", clip("a", "f", 0, 3, replace(PLAIN, colours=colours)))
    assert f"{said} video" in response.query


@pytest.mark.parametrize("name", TASKS)
def test_nothing_measured_with_a_margin_is_refused_with_what_was_measured(name):
    a = asset("a") if TASKS[name].medium == "image" else clip("a", "f", 0, 3)
    ((reason, detail),) = stated(name, a)
    assert reason == "nothing_true_to_say"
    assert "colour brown 0.20 (limit 0.45)" in detail


def test_asset_without_facts_is_refused():
    ((reason, detail),) = stated("image_qa", asset("a", None, CAT))
    assert (reason, detail) == ("nothing_true_to_say", "nothing was measured; the asset has no facts")


def test_image_questions_cover_every_aspect_that_was_measured():
    facts = replace(GREEN, luma_halves=(170, 100, 120, 130), text=lines("OPEN GARDEN"))
    found = responses("image_qa", asset("a", facts, CAT))
    assert [
        (r.task_type, r.positive_answer, r.hard_negative_answer) for r in found if r.positive_answer != "green"
    ] == [
        ("Factoid Identification", "tabby", "lynx"),
        ("Visual Reasoning", "The left half", "The right half"),
        ("OCR-based Data Extraction", "OPEN GARDEN", found[3].hard_negative_answer),
        ("Domain-specific Knowledge Inquiry", "definition of what ybbat is", "definition of what xnyl is"),
    ]
    assert found[3].hard_negative_answer.startswith("OPEN ")
    assert found[3].hard_negative_answer != "OPEN GARDEN"
    colour = next(r for r in found if r.positive_answer == "green")
    assert colour.hard_negative_answer in {"black", "grey", "red", "orange", "purple", "pink", "white"}


def test_text_that_is_unsure_odd_or_one_of_several_of_a_size_is_not_asked_about():
    for text in (lines("OPEN G4RD3N"), lines("GARDEN", confidence=0.6), lines("ON AIR"), lines("OPEN", "GARDEN")):
        assert stated("image_qa", asset("a", replace(PLAIN, text=text)))[0][0] == "nothing_true_to_say"


def test_video_that_brightens_gives_a_question_about_its_course():
    facts = replace(NIGHT, luma=60.0, luma_last=120.0, frames=5)
    found = [r for r in responses("video_qa", clip("a", "f", 0, 3, facts)) if r.task_type == "Temporal Grounding"]
    assert [(r.positive_answer, r.hard_negative_answer) for r in found] == [("It gets brighter", "It gets darker")]


def test_retrieval_texts_say_what_holds_and_never_name_what_is_defined():
    facts = replace(GREEN, luma_halves=(120, 120, 150, 100))
    found = {r.task_type: r.query for r in responses("image_retrieval", asset("a", facts, CAT))}
    assert set(found) == {
        "Direct Visual Description",
        "Compositional Logical Constraints",
        "Knowledge-centric Textual Localisation",
    }
    assert "mostly green picture with a tabby, clearly brighter in its upper half" in found["Direct Visual Description"]
    assert " no " in found["Compositional Logical Constraints"]
    assert "tabby" not in found["Knowledge-centric Textual Localisation"]


def test_moment_has_an_irrelevant_segment_of_which_its_claims_are_refuted_and_the_widest_gap():
    clips = [
        clip("a", "f", 0, 2, GREEN, CAT),
        clip("b", "f", 2, 5, GREEN, CAT),
        clip("c", "f", 5, 8, SNOW, DOG),
        clip("d", "f", 8, 9, SNOW, DOG),
    ]
    (moments,) = stated("moment_retrieval", *clips)
    spans = {(m.asset_id, m.response.start_s, m.response.end_s): m.response.irrelevant_start_s for m in moments}
    assert spans == {("a", 0, 2): 8, ("b", 2, 5): 8, ("c", 5, 8): 0, ("d", 8, 9): 0}
    assert {m.response.task_type for m in moments} == {"Object Moment"}


def test_moment_needs_another_segment():
    ((reason, detail),) = stated("moment_retrieval", clip("a", "f", 0, 2, GREEN, CAT))
    assert reason == "nothing_true_to_say"
    assert detail.startswith("1 segments, none told apart")


RICH = replace(GREEN, luma_halves=(170, 100, 120, 130), text=lines("OPEN GARDEN"), luma_last=170.0)


@pytest.mark.parametrize("name", TASKS)
def test_everything_said_holds_and_everything_wrong_is_refuted(name):
    a = asset("a", RICH, CAT) if TASKS[name].medium == "image" else clip("a", "f", 0, 2, RICH, CAT)
    others = [] if TASKS[name].medium == "image" else [clip("b", "f", 3, 5, NIGHT, DOG)]
    for answer in stated(name, a, *others)[:1]:
        for s in answer:
            what = seen(RICH, CAT) if s.asset_id == "a" else seen(NIGHT, DOG)
            assert holds(s.holds, what, LIMITS) is True
            assert not s.wrong or holds(s.wrong, what, LIMITS) is False


def test_questions_vary_between_assets_and_stay_the_same_for_one():
    ask = {i: responses("image_qa", asset(f"asset {i}", GREEN))[0].question for i in range(30)}
    assert len(set(ask.values())) == 4
    assert ask[3] == responses("image_qa", asset("asset 3", GREEN))[0].question


def test_stage_gives_each_subject_its_children_or_one_reject(tmp_path):
    settings = Annotation("image_qa", SynthSettings(), None, tmp_path, tmp_path, 0)
    table = subjects(pool(asset("a", GREEN, CAT), asset("b"), asset("c", SNOW)), TASKS["image_qa"], ["en"])
    rows = apply_step(by_facts(settings), table).to_pylist()
    assert [(r["asset_id"], r["task_type"], r["reject"] and r["reject"]["reason"]) for r in rows] == [
        ("a", "Factoid Identification", None),
        ("a", "Factoid Identification", None),
        ("a", "Domain-specific Knowledge Inquiry", None),
        ("b", None, "nothing_true_to_say"),
        ("c", "Factoid Identification", None),
    ]
    assert from_json(rows[0]["holds"]) == (Claim("label", "tabby"),)
