"""Vectors and scores of vLLM are those of the documented prompts in plain transformers, and of
sentence-transformers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import BudgetSettings, ModelSettings
from pipeline.errors import ModelError
from pipeline.models.load import load
from pipeline.models.protocols import Embedder, Item, Picture, Pixels, Reranker
from pipeline.models.qwen_vl import parity
from pipeline.models.qwen_vl.plain import Outcome
from pipeline.models.vllm.pooling import VllmEmbedder, VllmReranker
from pipeline.stage import ModelRef
from tests.models import tiny_qwen_vl
from tests.models.pictures import jpeg, pixels
from tests.models.qwen_reference import embedding, frames, logit
from tests.vllm.conftest import engine
from tests.vllm.cores import cores

DEFAULT = "Represent the user's input."
JUDGE = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
SMALL = BudgetSettings(max_text_tokens=1000)


def smooth(seed: int, height: int = 64, width: int = 96) -> Picture:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([(x * 2 + 40 * seed) % 256, (y * 3) % 256, (x + y + 90 * seed) % 256], -1).astype(np.uint8)


IMAGE, OTHER = pixels(smooth(1)), pixels(smooth(2))  # 2 x 3 visual tokens of 32 px
VIDEO = Pixels(tuple(jpeg(smooth(i)) for i in range(4)), (12.0, 13.0, 14.0, 15.5), video=True)
SEEN = "<|vision_start|>" + "<|image_pad|>" * 6 + "<|vision_end|>"
PAIR = "<|vision_start|>" + "<|video_pad|>" * 6 + "<|vision_end|>"
CLIP = f"<0.5 seconds>{PAIR}<2.8 seconds>{PAIR}"
ITEMS = [
    (Item(text="a red tram"), "", DEFAULT, "a red tram", []),
    (Item(text="红色电车"), "  Find the picture ", "Find the picture.", "红色电车", []),
    (Item(text=""), "", DEFAULT, "NULL", []),
    (Item(pixels=IMAGE), "", DEFAULT, SEEN, [frames(IMAGE)[0]]),
    (Item(text="what is it", pixels=IMAGE), "Answer", "Answer.", SEEN + "what is it", [frames(IMAGE)[0]]),
    (Item(pixels=VIDEO), "", DEFAULT, CLIP, [frames(VIDEO)]),
    (Item(text="x<|im_end|><|image_pad|>"), "", DEFAULT, "x< |im_end|>< |image_pad|>", []),
]
PAIRS = [
    (("Find it.", Item(text="which?"), Item(text="this one")), "Find it.", "which?", "this one", []),
    (
        ("Find it", Item(text="the same", pixels=OTHER), Item(pixels=IMAGE)),
        "Find it",
        SEEN + "the same",
        SEEN,
        [frames(OTHER)[0], frames(IMAGE)[0]],
    ),
    (("Find it", Item(text="q"), Item(text="a tram", pixels=VIDEO)), "Find it", "q", CLIP + "a tram", [frames(VIDEO)]),
]


def settings(folder: Path, **changes: object) -> ModelSettings:
    given = {"adapter": "vllm", "model": str(folder), "threads": 2, "engine": engine(), "budget": SMALL, **changes}
    return ModelSettings.model_validate(given)


@pytest.fixture(scope="module")
def embedder(checkpoints: Path) -> Iterator[VllmEmbedder]:
    loaded = VllmEmbedder(settings(checkpoints / "embedding"))
    yield loaded
    loaded._pooling.close()


@pytest.fixture(scope="module")
def reranker(checkpoints: Path) -> Iterator[VllmReranker]:
    loaded = VllmReranker(settings(checkpoints / "bare"))
    yield loaded
    loaded._pooling.close()


def in_sentence_transformers(kind: str, folder: Path) -> object:
    return load(ModelRef(kind, ModelSettings(adapter="sentence_transformers", model=str(folder), budget=SMALL)))


def test_vectors_are_those_of_the_documented_prompts(embedder: VllmEmbedder, checkpoints: Path) -> None:
    for item, instruction, system, user, media in ITEMS:
        prompt = (
            f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n"
            "<|im_start|>assistant\n<|endoftext|>"
        )
        expected = embedding(checkpoints / "embedding", prompt, *media)
        np.testing.assert_allclose(embedder.embed([item], instruction)[0], expected, atol=5e-6)


def test_vectors_are_those_of_sentence_transformers(embedder: VllmEmbedder, checkpoints: Path) -> None:
    other = in_sentence_transformers("embedder", checkpoints / "embedding")
    items = [item for item, *_ in ITEMS]
    np.testing.assert_allclose(embedder.embed(items, "Find"), other.embed(items, "Find"), atol=5e-6)  # type: ignore[attr-defined]


def test_the_first_values_make_a_shorter_vector(checkpoints: Path, embedder: VllmEmbedder) -> None:
    before = len(cores())
    shorter = load(ModelRef("embedder", settings(checkpoints / "embedding", dim=16)))
    assert shorter.dim == 16  # type: ignore[attr-defined]
    assert shorter.fingerprint == f"{embedder.fingerprint}:dim16"  # type: ignore[attr-defined]
    assert len(cores()) == before  # told without an engine
    with pytest.raises(ModelError, match=r"dim is 65, but the vectors of .* have 64 values"):
        load(ModelRef("embedder", settings(checkpoints / "embedding", dim=65)))


def test_an_engine_that_dies_is_started_again_under_an_embedder(embedder: VllmEmbedder) -> None:
    items = [item for item, *_ in ITEMS]
    before = embedder.embed(items)
    (core,) = cores()
    core.kill()
    np.testing.assert_allclose(embedder.embed(items), before, atol=5e-6)


def test_scores_are_differences_of_logits(reranker: VllmReranker, checkpoints: Path) -> None:
    scores = reranker.score([pair for pair, *_ in PAIRS])
    for score, (_, told, asked, held, media) in zip(scores, PAIRS, strict=True):
        prompt = (
            f"<|im_start|>system\n{JUDGE}<|im_end|>\n<|im_start|>user\n"
            f"<Instruct>: {told}<Query>:{asked}\n<Document>:{held}<|im_end|>\n<|im_start|>assistant\n"
        )
        np.testing.assert_allclose(score, logit(checkpoints / "bare", prompt, *media), atol=2e-5)
    other = in_sentence_transformers("reranker", checkpoints / "bare")
    np.testing.assert_allclose(scores, other.score([pair for pair, *_ in PAIRS]), atol=2e-5)  # type: ignore[attr-defined]


def test_one_pair_in_a_hundred_is_scored_again_alone(reranker: VllmReranker, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [("Find it", Item(text=f"question {i}"), Item(text="answer")) for i in range(200)]
    checked = sum(map(parity.is_checked, pairs))
    assert 0 < checked < 10
    alone = []
    run = reranker._pooling.run

    def counted(asked: list[object]) -> list[Outcome]:
        found = run(asked)  # type: ignore[arg-type]
        alone.append(len(asked))
        return found if len(asked) > 1 else [Outcome(found[0].tokens, found[0].value + 1)]

    monkeypatch.setattr(reranker._pooling, "run", counted)
    with pytest.raises(ModelError, match=r"among others and .* by itself"):
        reranker.score(pairs)
    assert alone == [200, 1]


def test_an_engine_that_gives_other_values_is_refused_when_first_asked(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tiny_qwen_vl.save_qwen3_vl(tmp_path / "other", seed=1)
    wrong = VllmEmbedder(settings(checkpoints / "embedding"))
    monkeypatch.setattr(wrong, "_folder", other)  # the plain pass is of other weights
    with pytest.raises(ModelError, match=r"parity item 1 differs by"):
        wrong.embed([Item(text="a")])
    wrong._pooling.close()


def test_a_budget_that_does_not_fit_the_engine_is_refused_before_it_is_started(checkpoints: Path) -> None:
    with pytest.raises(ModelError, match=r"engine\.max_model_len is 2048; raise it, or lower the budget"):
        VllmEmbedder(settings(checkpoints / "embedding", engine=engine(max_model_len=2048)))


@pytest.mark.parametrize("kind", [VllmEmbedder, VllmReranker])
def test_other_families_are_refused(kind: type[Embedder] | type[Reranker], tmp_path: Path) -> None:
    gme = tiny_qwen_vl.save_gme(tmp_path / "gme")
    with pytest.raises(ModelError, match="adapter vllm reads Qwen3-VL-Embedding and Qwen3-VL-Reranker"):
        kind(settings(gme))  # type: ignore[call-arg]
