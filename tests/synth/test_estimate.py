"""What a run would take is known before it is run."""

import pytest

from pipeline.config import Config, FrameSettings, SynthSettings, VlmSettings
from pipeline.models.protocols import Usage
from pipeline.synth import estimate as module
from pipeline.synth.annotation import Asking, Guidance
from pipeline.synth.prompting import prompt
from pipeline.synth.subjects import subject, subjects
from pipeline.synth.tasks import TASKS
from tests.synth.samples import asset, clip, pool

SIZE = {"width_px": 1024, "height_px": 640}  # sampled at 768 x 480: 24 x 15 tokens


def estimate(spec, assets, settings, earlier, guidance=Guidance(), paid=()):  # noqa: B008 -- frozen
    def already_paid(rows):
        return [row["segments"][0]["asset_id"] in paid for row in rows.to_pylist()]

    return module.estimate(spec, assets, settings, guidance, earlier, already_paid)


def config(**more):
    return Config(vlm=VlmSettings(adapter="fake", **more), frames=FrameSettings(max_side_px=768))


def test_a_picture_is_one_request_a_language_with_its_words_and_pixels():
    assets = pool(asset("a") | SIZE | {"fingerprints": [1]}, asset("b") | SIZE | {"fingerprints": [2]})
    settings = config(expected_output_tokens=50).model_copy(update={"synth": SynthSettings(languages=("en", "zh"))})
    found = estimate(TASKS["image_qa"], assets, settings, None)
    assert (found.requests, found.visual_tokens, found.output_tokens, found.gpu_hours) == (4, 4 * (360 + 2), 200, None)
    rows = subjects(assets, TASKS["image_qa"], ["en", "zh"]).to_pylist()
    asking = Asking(settings.synth, settings.seed, Guidance())
    texts = [prompt(TASKS["image_qa"], subject(r), r["language"], asking, [(0.0,)]) for r in rows]
    assert found.text_tokens == sum(-(-len(t.encode()) // 4) for t in texts)
    assert found.usage == Usage(4, 0, found.text_tokens + found.visual_tokens, 200)


def test_of_many_prompts_only_some_are_rendered(monkeypatch):
    assets = pool(*[asset(f"a{i:03d}") | SIZE | {"fingerprints": [i]} for i in range(40)])
    whole = estimate(TASKS["image_qa"], assets, config(), None)
    monkeypatch.setattr(module, "_RENDERED", 7)
    assert estimate(TASKS["image_qa"], assets, config(), None) == whole  # names of one length: prompts of one length


def test_a_video_costs_a_token_for_two_frames_and_a_file_of_segments_is_one_request():
    segments = [clip(n, "f", 3 * i, 3 * i + 3) | SIZE | {"fingerprints": [1, 2, 3]} for i, n in enumerate("vw")]
    of_clips = estimate(TASKS["video_qa"], pool(*segments), config(), None)
    of_moments = estimate(TASKS["moment_retrieval"], pool(*segments), config(), None)
    assert of_clips.visual_tokens == of_moments.visual_tokens == 2 * 2 * (360 + 2 + 6)
    assert (of_clips.requests, of_moments.requests) == (2, 1)


def test_a_long_film_is_several_requests_each_within_the_budget_of_one_video():
    shots = [clip(f"s{i:02d}", "f", 3 * i, 3 * i + 3) | SIZE | {"fingerprints": [1, 2, 3]} for i in range(70)]
    found = estimate(TASKS["moment_retrieval"], pool(*shots), config(), None)
    assert found.requests == 3  # of 23, 23 and 24 segments
    # Each shows two or three frames a segment, 64 in all, each of 379 x 379 pixels' worth at most.
    most = 64 * (9_216_000 // 64) // 1024 // 2
    assert 0.6 * 3 * most < found.visual_tokens < 3 * (most + 64 * 8)


def test_an_earlier_run_says_how_long_replies_are_and_the_users_rate_how_long_it_takes():
    assets = pool(asset("a") | SIZE | {"fingerprints": [1]})
    found = estimate(TASKS["image_qa"], assets, config(requests_per_gpu_hour=500), Usage(10, 0, 0, 1234))
    assert found.output_tokens == 123
    assert found.gpu_hours == pytest.approx(1 / 500)


def test_what_was_paid_for_costs_nothing_again_and_replies_are_as_long_as_those_paid_for():
    assets = pool(asset("a") | SIZE | {"fingerprints": [1]}, asset("b") | SIZE | {"fingerprints": [2]})
    alone = estimate(TASKS["image_qa"], pool(asset("b") | SIZE | {"fingerprints": [2]}), config(), None)
    found = estimate(TASKS["image_qa"], assets, config(), Usage(10, 6, 0, 400), paid={"a"})
    assert (found.requests, found.cached) == (2, 1)
    assert (found.text_tokens, found.visual_tokens) == (alone.text_tokens, alone.visual_tokens)
    assert found.output_tokens == 100


def test_nothing_to_ask_costs_nothing():
    found = estimate(TASKS["video_qa"], pool(asset("a") | SIZE | {"fingerprints": [1]}), config(), None)
    assert found.usage == Usage()


def test_worked_examples_and_times_of_frames_count_as_words():
    told = Guidance(examples={"en": ({"description": "d" * 4000, "task_type": "t"},)})
    picture = pool(asset("a") | SIZE | {"fingerprints": [1]})
    with_, without = (estimate(TASKS["image_qa"], picture, config(), None, g) for g in (told, Guidance()))
    assert with_.text_tokens > without.text_tokens + 1000
    long, short = (pool(clip("v", "f", 0, end) | SIZE | {"fingerprints": [1]}) for end in (40, 4))
    long, short = (estimate(TASKS["video_qa"], film, config(), None).text_tokens for film in (long, short))
    assert long - short >= 36 * len(", 1.0") // 4  # 36 frames more to name


def test_verifying_asks_of_each_possible_example_all_that_its_task_has_to_ask():
    assets = pool(asset("a") | SIZE | {"fingerprints": [1]}, asset("b") | SIZE | {"fingerprints": [2]})
    found = module.estimate_verifying(TASKS["image_qa"], assets, config(expected_output_tokens=50))
    # a request with the picture and one without it
    assert (found.requests, found.visual_tokens, found.output_tokens) == (4, 2 * (360 + 2), 200)
    assert module.estimate_verifying(TASKS["image_retrieval"], assets, config()).requests == 2
    assert module.estimate_verifying(TASKS["video_qa"], assets, config()).usage == Usage()
