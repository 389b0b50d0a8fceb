"""What an asset is asked for depends on it and the seed alone."""

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.config import SynthSettings
from pipeline.errors import ConfigError
from pipeline.synth.draws import assigned_type, check_type_weights, drawn, persona
from pipeline.synth.tasks import TASKS

QA = TASKS["image_qa"]
WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 100), min_size=1).filter(lambda w: any(w.values()))
KEYS = [f"asset{i}" for i in range(4000)]


def test_each_name_is_drawn_by_its_share():
    found = Counter(drawn({"a": 1, "b": 2, "c": 5, "d": 0}, key) for key in KEYS)
    # Three standard deviations of a binomial count.
    assert found["a"] == pytest.approx(500, abs=3 * (500 * 7 / 8) ** 0.5)
    assert found["b"] == pytest.approx(1000, abs=3 * (1000 * 3 / 4) ** 0.5)
    assert found["d"] == 0


@given(WEIGHTS, st.text())
@example({"b": 2.225073858507e-311, "c": 2.225073858507e-311}, "")
def test_the_same_key_draws_the_same_name_in_whatever_order_they_stand(weights, key):
    backwards = dict(reversed(weights.items()))
    assert drawn(weights, key) == drawn(backwards, key)
    assert weights[drawn(weights, key)] > 0


@given(WEIGHTS, st.sampled_from("abcdef"), st.floats(1, 50), st.text())
def test_a_name_that_gains_weight_moves_keys_only_to_itself(weights, name, more, key):
    before, after = drawn(weights, key), drawn(weights | {name: weights.get(name, 0) + more}, key)
    assert after in (before, name)


def test_no_positive_weight_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        drawn({"a": 0}, "key")


def settings(**weights):
    return SynthSettings(type_choice="assigned", type_weights={"image_qa": weights} if weights else {})


def test_all_types_are_asked_for_evenly_unless_the_settings_say_otherwise():
    found = Counter(assigned_type(QA, key, settings(), 0) for key in KEYS)
    assert set(found) == set(QA.task_types)
    assert min(found.values()) > 900
    weighed = Counter(assigned_type(QA, key, settings(**{"Visual Reasoning": 0}), 0) for key in KEYS)
    assert set(weighed) == set(QA.task_types) - {"Visual Reasoning"}


def test_the_seed_and_the_task_draw_anew():
    kinds = [[assigned_type(QA, key, settings(), seed) for key in KEYS[:50]] for seed in (0, 1)]
    assert kinds[0] != kinds[1]
    both = TASKS["image_qa"], TASKS["video_qa"]
    places = [[list(s.task_types).index(assigned_type(s, key, settings(), 0)) for key in KEYS[:50]] for s in both]
    assert places[0] != places[1]


def test_free_choice_assigns_nothing():
    assert assigned_type(QA, "a", SynthSettings(), 0) is None


def test_every_persona_gets_to_ask_and_none_is_needed():
    assert {persona(("a", "b", "c"), key, 0) for key in KEYS[:50]} == {"a", "b", "c"}
    assert persona((), "a", 0) is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"image_qq": {}}, "synth.type_weights.image_qq: there is no such task; did you mean 'image_qa'?"),
        ({"image_qa": {"Visual Reasonin": 1}}, "'Visual Reasonin' is no task type of it; did you mean 'Visual Reas"),
        ({"image_qa": dict.fromkeys(QA.task_types, 0.0)}, "synth.type_weights.image_qa: every type has weight 0"),
    ],
)
def test_weights_of_nothing_are_named(weights, message):
    with pytest.raises(ConfigError) as error:
        check_type_weights(SynthSettings(type_choice="assigned", type_weights=weights), TASKS)
    assert message in str(error.value)
