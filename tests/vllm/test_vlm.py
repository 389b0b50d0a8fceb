"""Images, videos and plain prompts through a vLLM engine: what is read, what comes back, and what an engine's death
costs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config import VlmSettings
from pipeline.errors import ModelError
from pipeline.models.load import load
from pipeline.models.protocols import Pixels, Request
from pipeline.models.qwen_vl.plain import plain_embedding
from pipeline.models.vllm.inputs import parts_of, prompt_of
from pipeline.models.vllm.reference import PlainModel
from pipeline.models.vllm.vlm import VllmVlm
from pipeline.stage import ModelRef
from tests.contracts.test_vlms import SCHEMA, Answer
from tests.models.pictures import gradient, jpeg, pixels, plain
from tests.vllm.conftest import vlm_settings
from tests.vllm.cores import cores

IMAGE = pixels(gradient())
VIDEO = Pixels(tuple(jpeg(plain(60 * i, 90, 0, 96, 64)) for i in range(4)), (12.0, 13.0, 14.0, 15.5), video=True)


@pytest.fixture(scope="module")
def settings(checkpoints: Path) -> VlmSettings:
    return vlm_settings(checkpoints / "bare")


@pytest.fixture(scope="module")
def vlm(settings: VlmSettings) -> Iterator[VllmVlm]:
    loaded = load(ModelRef("vlm", settings))
    assert isinstance(loaded, VllmVlm)
    yield loaded
    loaded.close()


def asked(i: int, *media: Pixels, seed: int = 3) -> Request:
    return Request(f"Say what number {i} shows, in JSON.\n", media, ("a",), seed)


def test_every_request_of_a_batch_gets_its_reply_in_json(vlm: VllmVlm) -> None:
    requests = [asked(0, IMAGE), asked(1, VIDEO), asked(2), asked(3, VIDEO, VIDEO), asked(0, IMAGE)] * 3
    replies = vlm.generate(requests, SCHEMA)
    for reply in replies:
        assert reply.finish_reason == "stop"
        Answer.model_validate(json.loads(reply.text))  # strictly JSON
        assert reply.usage.requests == 1
        assert reply.usage.output_tokens > 0
    assert [reply.usage.input_tokens for reply in replies[:5]] == [reply.usage.input_tokens for reply in replies[5:10]]
    assert len({reply.text for reply in replies[:4]}) == 4
    assert vlm.generate([], SCHEMA) == []


def test_the_model_reads_the_tokens_of_the_documented_prompt(vlm: VllmVlm, checkpoints: Path) -> None:
    reference = PlainModel(checkpoints / "bare")
    words = reference.processor.tokenizer
    pair = "<|vision_start|>" + "<|video_pad|>" * 6 + "<|vision_end|>"
    head, tail = "<|im_start|>user\nSay what number 0 shows, in JSON.\n", "<|im_end|>\n<|im_start|>assistant\n"
    picture = "<|vision_start|>" + "<|image_pad|>" * 24 + "<|vision_end|>"
    for request, shown in [
        (asked(0, IMAGE), picture),
        (asked(0, VIDEO), f"<12.5 seconds>{pair}<14.8 seconds>{pair}"),
        (asked(0, VIDEO, VIDEO), f"<12.5 seconds>{pair}<14.8 seconds>{pair}" * 2),
        (asked(0), ""),
    ]:
        parts = parts_of(request, vlm._settings.budget)
        output = vlm._loop.start(vlm._engine.ask(prompt_of(parts), vlm._sampling(3, SCHEMA))).result()
        assert words.decode(output.prompt_token_ids) == head + shown + tail
        assert (
            tuple(output.prompt_token_ids)
            == plain_embedding(reference.network.model, reference.processor, parts, False).tokens
        )


def test_a_seed_repeats_a_reply_and_another_one_gives_another(vlm: VllmVlm) -> None:
    first, again, other = (vlm.generate([asked(7, seed=seed)], SCHEMA)[0].text for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_what_cannot_be_asked_rejects_its_own_row_alone(vlm: VllmVlm) -> None:
    requests = [
        asked(0, IMAGE),
        asked(1, Pixels((b"no picture",), (0.0,), video=False)),
        Request("x" * 30_000, (), ("a",)),
        asked(2, IMAGE, IMAGE),
        asked(3, Pixels((), (), video=True)),
        asked(4, VIDEO),
    ]
    replies = vlm.generate(requests, SCHEMA)
    assert [reply.finish_reason for reply in replies] == ["stop", "error", "error", "error", "error", "stop"]
    assert "cannot identify image" in replies[1].text
    assert "24576" in replies[2].text.replace(",", "")
    assert "image" in replies[3].text
    assert "no frame" in replies[4].text


def test_a_reply_that_is_cut_off_says_so(checkpoints: Path, vlm: VllmVlm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vlm, "_settings", vlm_settings(checkpoints / "bare", max_output_tokens=4))
    (reply,) = vlm.generate([asked(0)], SCHEMA)
    assert (reply.finish_reason, reply.usage.output_tokens) == ("length", 4)


def test_threads_share_the_engine(vlm: VllmVlm) -> None:
    got: dict[int, list[str]] = {}

    def ask(first: int) -> None:
        got[first] = [r.finish_reason for r in vlm.generate([asked(i) for i in range(first, first + 4)], SCHEMA)]

    threads = [threading.Thread(target=ask, args=(first,)) for first in (0, 4, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {first: ["stop"] * 4 for first in (0, 4, 8)}
    assert len(cores()) == 1


def test_an_engine_that_dies_in_the_middle_costs_no_reply_and_gives_none_twice(vlm: VllmVlm) -> None:
    requests = [asked(i, *media) for i, media in enumerate([(IMAGE,), (VIDEO,), ()] * 8)]
    arrived = []
    for position, reply in vlm.stream(requests, SCHEMA):
        arrived.append(position)
        assert reply.finish_reason == "stop", reply.text
        if len(arrived) == 5:
            (core,) = cores()
            core.kill()
    assert sorted(arrived) == list(range(len(requests)))


def test_dropping_a_stream_leaves_an_engine_that_answers(vlm: VllmVlm) -> None:
    stream = vlm.stream([asked(i) for i in range(30)], SCHEMA)
    next(stream)
    stream.close()
    assert vlm.generate([asked(0)], SCHEMA)[0].finish_reason == "stop"


def test_the_fingerprint_needs_no_engine_and_changes_with_what_changes_replies(checkpoints: Path) -> None:
    def name(**changes: object) -> str:
        base = vlm_settings(checkpoints / "bare", **changes)
        return VllmVlm(base).fingerprint

    before = len(cores())
    found = {name(), name(temperature=0.1), name(max_output_tokens=9)}
    run_only = vlm_settings(checkpoints / "bare")
    engine = run_only.engine.model_copy(update={"tensor_parallel_size": 4, "replicas": 3, "max_num_seqs": 1})
    half = run_only.engine.model_copy(update={"dtype": "bfloat16"})
    assert VllmVlm(run_only.model_copy(update={"engine": engine, "batch_size": 1})).fingerprint == name()
    found |= {VllmVlm(run_only.model_copy(update={"engine": half})).fingerprint}
    found |= {VllmVlm(vlm_settings(checkpoints / "embedding")).fingerprint}
    assert len(found) == 5
    assert len(cores()) == before


def test_other_models_are_refused_with_the_way_to_ask_them(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llava"}')
    with pytest.raises(ModelError, match=r"type llava.*vllm serve and use vlm\.adapter openai"):
        VllmVlm(vlm_settings(tmp_path))


def test_a_checkpoint_that_cannot_be_loaded_stops_the_run(tmp_path: Path, checkpoints: Path) -> None:
    for path in (checkpoints / "bare").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    broken = VllmVlm(vlm_settings(tmp_path))
    with pytest.raises(ModelError, match="vllm cannot load"):
        broken.generate([asked(0)], SCHEMA)
    broken.close()
