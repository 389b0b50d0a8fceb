from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.builtin import class_decisions, concept_decisions
from pipeline.models.builtin.classes import CLASSES, siblings
from pipeline.models.builtin.concepts import CONCEPTS, SURELY_ABSENT, concept_probabilities, confusable

IDS = {c.name: c.class_id for c in CLASSES}
CONCEPT_IDS = {c.name: k for k, c in enumerate(CONCEPTS)}
OF_CLASS = {m: k for k, c in enumerate(CONCEPTS) for m in c.members}


def test_the_table_is_small_and_carries_its_licence() -> None:
    text = (files("pipeline.models.builtin") / "imagenet.json").read_text(encoding="utf-8")
    assert len(text.encode()) < 500_000
    assert "Princeton University" in json.loads(text)["notice"]


def test_every_class_is_known_in_imagenets_order() -> None:
    assert [c.class_id for c in CLASSES] == list(range(1000))
    for class_id, wnid, name in [
        (0, "n01440764", "tench"),
        (281, "n02123045", "tabby cat"),
        (517, "n03126707", "construction crane"),
        (967, "n07920052", "espresso"),
        (999, "n15075141", "toilet paper"),
    ]:
        assert (CLASSES[class_id].wnid, CLASSES[class_id].name) == (wnid, name)


def test_each_class_has_the_sense_that_its_pictures_show() -> None:
    assert CLASSES[134].hypernyms[0] == "wading bird"
    assert CLASSES[517].hypernyms[0] == "lifting device"
    assert CLASSES[968].gloss.startswith("a small open container")
    assert CLASSES[242].hypernyms[:3] == ("working dog", "dog", "canine")


def test_names_glosses_and_paths_read_well() -> None:
    for item in [*CLASSES, *CONCEPTS]:
        assert item.name.strip() == item.name
        assert not set(item.name) & set("()/,;")
        assert item.gloss
        assert not set(item.gloss) & set('\n"'), item.gloss
        assert not item.gloss.endswith("."), item.gloss
        assert item.hypernyms[-1] == "entity"


def test_siblings_exclude_synonyms_and_pairs_that_can_both_be_true() -> None:
    dogs = {CLASSES[s].name for s in siblings(IDS["Golden Retriever"])}
    assert "Labrador Retriever" in dogs
    assert siblings(IDS["Siberian Husky"])
    for a, b in [
        ("husky", "Siberian Husky"),
        ("laptop computer", "notebook computer"),
        ("tusker", "Asian elephant"),
        ("gibbon", "siamang"),
        ("tabby cat", "tiger cat"),
    ]:
        assert IDS[b] not in siblings(IDS[a])
    assert 837 not in siblings(836)
    assert 657 not in siblings(744)
    for c in CLASSES:
        for s in siblings(c.class_id):
            other = CLASSES[s]
            assert not {x.lower() for x in c.lemmas} & {x.lower() for x in other.lemmas}
            assert c.name != other.name


def test_concepts_partition_the_classes() -> None:
    assert sorted(m for c in CONCEPTS for m in c.members) == list(range(1000))
    assert len({c.name for c in CONCEPTS}) == len(CONCEPTS)
    assert len(CONCEPTS[CONCEPT_IDS["dog"]].members) == 118
    assert OF_CLASS[IDS["ox"]] == CONCEPT_IDS["hoofed mammal"]
    assert OF_CLASS[IDS["wild boar"]] == OF_CLASS[IDS["pig"]] == CONCEPT_IDS["pig"]


def test_concept_probabilities_are_sums_over_their_classes() -> None:
    classes = np.zeros((2, 1000), np.float32)
    classes[0, [IDS["Beagle"], IDS["pug"], IDS["tabby cat"]]] = (0.5, 0.25, 0.25)
    classes[1, IDS["stethoscope"]] = 1
    sums = concept_probabilities(classes)
    assert sums.shape == (2, len(CONCEPTS))
    assert sums[0, CONCEPT_IDS["dog"]] == 0.75
    assert sums[0, CONCEPT_IDS["cat"]] == 0.25
    assert sums[1, CONCEPT_IDS["stethoscope"]] == 1


@given(st.integers(0, 2**32 - 1))
def test_concept_probabilities_keep_the_total(seed: int) -> None:
    classes = np.random.default_rng(seed).dirichlet(np.full(1000, 0.1), 3).astype(np.float32)
    np.testing.assert_allclose(concept_probabilities(classes).sum(axis=1), 1, rtol=1e-5)


def test_a_rival_is_no_kind_of_the_concept_nor_the_other_way_round() -> None:
    decided = {frozenset((a, b)) for s in concept_decisions.BOTH for a in s for b in s if a != b}
    decided |= {frozenset((k, o)) for k, others in concept_decisions.KINDS_OF.items() for o in others}
    classes = {frozenset((a, b)) for s in class_decisions.MAY_BOTH_BE_TRUE for a in s for b in s if a != b}
    for k, concept in enumerate(CONCEPTS):
        assert k not in concept.rivals
        for r in concept.rivals:
            rival = CONCEPTS[r]
            assert frozenset((concept.name, rival.name)) not in decided
            for a in concept.members:
                for b in rival.members:
                    assert frozenset((CLASSES[a].name, CLASSES[b].name)) not in classes
            assert (rival.gloss, rival.hypernyms) != (concept.gloss, concept.hypernyms)
            assert concept.name not in rival.hypernyms


def test_the_confusable_is_the_nearest_rival_that_is_surely_absent() -> None:
    dog = CONCEPT_IDS["dog"]
    probabilities = np.zeros(len(CONCEPTS), np.float32)
    first, second = CONCEPTS[dog].rivals[:2]
    assert confusable(dog, probabilities) == first
    probabilities[first] = 1.01 * SURELY_ABSENT
    assert confusable(dog, probabilities) == second
    probabilities[:] = 1.01 * SURELY_ABSENT
    assert confusable(dog, probabilities) is None


def test_a_thing_that_excludes_nothing_has_no_confusable() -> None:
    nothing = np.zeros(len(CONCEPTS), np.float32)
    assert confusable(CONCEPT_IDS["dough"], nothing) is None
    assert confusable(CONCEPT_IDS["plate"], nothing) is None


@pytest.mark.parametrize(
    ("a", "b"),
    [("coffee", "cup or mug"), ("screen", "keyboard"), ("bird", "owl"), ("fish", "shark"), ("table", "chair")],
)
def test_what_stands_together_or_within_is_no_rival(a: str, b: str) -> None:
    assert CONCEPT_IDS[b] not in CONCEPTS[CONCEPT_IDS[a]].rivals
    assert CONCEPT_IDS[a] not in CONCEPTS[CONCEPT_IDS[b]].rivals
