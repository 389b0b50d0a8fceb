"""Qwen3-VL-Embedding, GME and Qwen3-VL-Reranker in sentence-transformers give what plain transformers give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.config import BudgetSettings, ModelSettings
from pipeline.errors import ModelError
from pipeline.models.load import load
from pipeline.models.protocols import Item, Picture, Pixels
from pipeline.models.sentence_transformers.described import SentenceTransformersEmbedder
from pipeline.models.sentence_transformers.qwen_vl import QwenVlEmbedder, QwenVlReranker
from pipeline.stage import ModelRef
from tests.models import tiny_qwen_vl
from tests.models.pictures import jpeg, pixels
from tests.models.qwen_reference import embedding, frames, gme_embedding, logit

DEFAULT = "Represent the user's input."
JUDGE = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)


def smooth(seed: int, height: int = 64, width: int = 96) -> Picture:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([(x * 2 + 40 * seed) % 256, (y * 3) % 256, (x + y + 90 * seed) % 256], -1).astype(np.uint8)


IMAGE = pixels(smooth(1))  # 64 x 96 px: 2 x 3 visual tokens of 32 px
OTHER = pixels(smooth(2))
VIDEO = Pixels(tuple(jpeg(smooth(i)) for i in range(4)), (12.0, 13.0, 14.0, 15.5), video=True)
ODD = Pixels(VIDEO.frames[:3], (0.0, 1.5, 3.0), video=True)
SINGLE = Pixels(VIDEO.frames[:1], (7.0,), video=True)
SEEN = "<|vision_start|>" + "<|image_pad|>" * 6 + "<|vision_end|>"
PAIR = "<|vision_start|>" + "<|video_pad|>" * 6 + "<|vision_end|>"  # two frames together
REPEATED = np.concatenate([frames(ODD), frames(ODD)[-1:]])


def settings(folder: Path, **given: object) -> ModelSettings:
    return ModelSettings(adapter="sentence_transformers", model=str(folder), **given)  # type: ignore[arg-type]


def embedder(folder: Path, **given: object) -> QwenVlEmbedder:
    found = load(ModelRef("embedder", settings(folder, **given)))
    assert isinstance(found, QwenVlEmbedder)
    return found


def reranker(folder: Path, **given: object) -> QwenVlReranker:
    found = load(ModelRef("reranker", settings(folder, **given)))
    assert isinstance(found, QwenVlReranker)
    return found


@pytest.mark.parametrize("checkpoint", ["embedding", "bare"])
@pytest.mark.parametrize(
    ("item", "instruction", "system", "user", "media"),
    [
        (Item(text="a red tram"), "", DEFAULT, "a red tram", []),
        (Item(text="a red tram"), "  Find the picture ", "Find the picture.", "a red tram", []),
        (Item(text="a red tram"), "Find the picture.", "Find the picture.", "a red tram", []),
        (Item(text="红色电车"), "找到图片。", "找到图片。", "红色电车", []),
        (Item(text="  two\n\nlines "), "Is it true?", "Is it true?", "  two\n\nlines ", []),
        (Item(text=""), "", DEFAULT, "NULL", []),
        (Item(pixels=IMAGE), "", DEFAULT, SEEN, [frames(IMAGE)[0]]),
        (Item(text="what is it", pixels=IMAGE), "Answer", "Answer.", SEEN + "what is it", [frames(IMAGE)[0]]),
        (Item(pixels=VIDEO), "", DEFAULT, f"<0.5 seconds>{PAIR}<2.8 seconds>{PAIR}", [frames(VIDEO)]),
        (Item(text="how?", pixels=ODD), "", DEFAULT, f"<0.8 seconds>{PAIR}<3.0 seconds>{PAIR}how?", [REPEATED]),
        (Item(pixels=SINGLE), "", DEFAULT, f"<0.0 seconds>{PAIR}", [np.repeat(frames(SINGLE), 2, axis=0)]),
        (Item(text="x<|im_end|><|image_pad|>"), "", DEFAULT, "x< |im_end|>< |image_pad|>", []),
    ],
)
def test_a_vector_is_that_of_the_documented_prompt(
    checkpoints: Path, checkpoint: str, item: Item, instruction: str, system: str, user: str, media: list[Picture]
) -> None:
    prompt = (
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n"
        "<|im_start|>assistant\n<|endoftext|>"
    )
    expected = embedding(checkpoints / checkpoint, prompt, *media)
    np.testing.assert_allclose(embedder(checkpoints / checkpoint).embed([item], instruction)[0], expected, atol=2e-6)


def test_vectors_do_not_depend_on_what_else_is_in_the_batch(checkpoints: Path) -> None:
    items = [Item(text="short"), Item(text="x", pixels=VIDEO), Item(pixels=IMAGE), Item(text="rather longer " * 9)]
    items += [Item(text="y", pixels=OTHER), Item(pixels=ODD)]
    together = embedder(checkpoints / "embedding").embed(items, "Find it")
    for batch_size in (1, 2):
        model = embedder(checkpoints / "embedding", batch_size=batch_size)
        np.testing.assert_allclose(model.embed(items, "Find it"), together, atol=2e-6)


def test_the_first_values_make_a_shorter_vector(checkpoints: Path) -> None:
    item, folder = Item(text="a red tram", pixels=IMAGE), checkpoints / "embedding"
    whole = embedder(folder).embed([item])[0].astype(np.float64)
    shorter = load(ModelRef("embedder", settings(folder, dim=16)))
    vectors = shorter.embed([item])  # type: ignore[attr-defined]
    np.testing.assert_allclose(vectors, [whole[:16] / np.sqrt((whole[:16] ** 2).sum())], atol=1e-6)
    assert vectors.dtype == np.float32
    assert shorter.fingerprint != embedder(folder).fingerprint  # type: ignore[attr-defined]


def test_a_long_video_stays_in_its_budget(checkpoints: Path) -> None:
    model = embedder(checkpoints / "embedding")
    picture = jpeg(smooth(0, 720, 960))
    video = Pixels((picture,) * 90, tuple(map(float, range(90))), video=True)
    parts = model._parts(Item(pixels=video), "")
    tokens = model._engine.run([parts])[0].tokens
    pad, start = model._engine.tokenizer.convert_tokens_to_ids(["<|video_pad|>", "<|vision_start|>"])
    assert tokens.count(start) == 32  # 64 frames, two together
    assert tokens.count(pad) == 32 * 10 * 13  # of 320 x 416 px, 4,160 of the 4,500 tokens that are allowed


def test_a_long_text_loses_its_end_and_not_the_template(checkpoints: Path) -> None:
    model = embedder(checkpoints / "bare", budget=BudgetSettings(max_text_tokens=5))
    (cut,) = model.embed([Item(text="abcdefgh" * 50_000)])
    np.testing.assert_array_equal(cut, model.embed([Item(text="abcde")])[0])


def test_a_text_that_names_a_file_is_a_text(checkpoints: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(smooth(0)))
    prompt = (
        f"<|im_start|>system\n{DEFAULT}<|im_end|>\n<|im_start|>user\n{path}<|im_end|>\n"
        "<|im_start|>assistant\n<|endoftext|>"
    )
    vector = embedder(checkpoints / "embedding").embed([Item(text=str(path))])[0]
    np.testing.assert_allclose(vector, embedding(checkpoints / "embedding", prompt), atol=2e-6)


def test_the_fingerprint_names_weights_dtype_budget_and_tokenizer(checkpoints: Path, tmp_path: Path) -> None:
    half = tiny_qwen_vl.save_qwen3_vl(tmp_path / "half", dtype=torch.bfloat16)
    other = tiny_qwen_vl.save_qwen3_vl(tmp_path / "other", seed=1)
    small = BudgetSettings(max_video_frames=8)
    models = [
        embedder(checkpoints / "embedding"),
        embedder(checkpoints / "embedding", budget=small),
        embedder(checkpoints / "bare"),
        embedder(half),
        embedder(other),
    ]
    assert len({model.fingerprint for model in models}) == len(models)
    again = QwenVlEmbedder(settings(checkpoints / "embedding"), models[0]._family)
    assert again.fingerprint == models[0].fingerprint


def test_half_precision_passes_the_parity_check_and_gives_unit_vectors(tmp_path: Path) -> None:
    model = embedder(tiny_qwen_vl.save_qwen3_vl(tmp_path / "half", dtype=torch.bfloat16))
    vectors = model.embed([Item(text="a red tram"), Item(text="x", pixels=VIDEO), Item(pixels=IMAGE)])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert model.fingerprint.count(":bfloat16:") == 1


# Checkpoints that are not what the template is for


def _described(checkpoints: Path, folder: Path, pooling_mode: str, dense: bool = False) -> Path:
    """The tiny checkpoint as sentence-transformers saves it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    modules = [Transformer(str(checkpoints / "embedding")), Pooling(tiny_qwen_vl.DIM, pooling_mode=pooling_mode)]
    modules += [Dense(tiny_qwen_vl.DIM, 8, module_input_name="sentence_embedding")] if dense else []
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)
    return folder


def test_a_checkpoint_that_describes_the_documented_way_is_taken(checkpoints: Path, tmp_path: Path) -> None:
    model = embedder(_described(checkpoints, tmp_path / "st", "lasttoken"))
    item = Item(text="a red tram", pixels=IMAGE)
    np.testing.assert_allclose(model.embed([item]), embedder(checkpoints / "embedding").embed([item]), atol=2e-6)


def test_other_pooling_is_refused_by_the_parity_check_which_names_the_fix(checkpoints: Path, tmp_path: Path) -> None:
    folder = _described(checkpoints, tmp_path / "st", "mean")
    with pytest.raises(ModelError, match=r"parity item 1 differs by .* 0\.0001 is rounding; .* template checkpoint"):
        embedder(folder)


def test_a_checkpoint_can_be_asked_its_own_way(checkpoints: Path, tmp_path: Path) -> None:
    folder = _described(checkpoints, tmp_path / "st", "mean")
    assert isinstance(load(ModelRef("embedder", settings(folder, template="checkpoint"))), SentenceTransformersEmbedder)


def test_modules_that_the_template_does_not_have_are_named(checkpoints: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"lists Transformer, Pooling, Dense; .* use template checkpoint"):
        embedder(_described(checkpoints, tmp_path / "st", "lasttoken", dense=True))


def _changed(checkpoints: Path, folder: Path, name: str, change: object) -> Path:
    """A copy of the tiny checkpoint in which one file is another."""
    folder.mkdir()
    for path in (checkpoints / "bare").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    change(folder / name)  # type: ignore[operator]
    return folder


def test_missing_weights_are_not_made_up(checkpoints: Path, tmp_path: Path) -> None:
    def forget(path: Path) -> None:
        tensors = load_file(path)
        del tensors["model.language_model.layers.1.mlp.up_proj.weight"]
        save_file(tensors, path, metadata={"format": "pt"})

    folder = _changed(checkpoints, tmp_path / "changed", "model.safetensors", forget)
    for load_it in (embedder, reranker):
        with pytest.raises(ModelError, match=r"lacks 1 of its model's weights, e\.g\. .*layers\.1\.mlp\.up_proj"):
            load_it(folder)


def test_a_tokenizer_without_the_token_that_ends_the_template_is_named(checkpoints: Path, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    for name in ("tokenizer.json", "tokenizer_config.json"):
        change = lambda path: path.write_text(path.read_text().replace("<|endoftext|>", "<|end|>"))  # noqa: E731
        folder = _changed(checkpoints, tmp_path / name, name, change)
    (folder / "tokenizer.json").write_bytes((tmp_path / "tokenizer.json" / "tokenizer.json").read_bytes())
    with pytest.raises(ModelError, match=r"splits '<.endoftext.>'"):
        embedder(folder)


def test_a_tokenizer_that_splits_the_answer_is_named(checkpoints: Path, tmp_path: Path) -> None:
    def split(path: Path) -> None:
        words = json.loads(path.read_text())
        words["model"]["vocab"]["yes#"] = words["model"]["vocab"].pop("yes")
        words["model"]["merges"] = [pair for pair in words["model"]["merges"] if "".join(pair) != "yes"]
        path.write_text(json.dumps(words))

    with pytest.raises(ModelError, match="splits 'yes'"):
        reranker(_changed(checkpoints, tmp_path / "changed", "tokenizer.json", split))


def test_a_folder_without_a_model_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen3_vl"}')
    for load_it in (embedder, reranker):
        with pytest.raises(ModelError, match="sentence_transformers cannot load"):
            load_it(tmp_path)


def test_modules_json_that_is_no_list_is_named(checkpoints: Path, tmp_path: Path) -> None:
    folder = _changed(checkpoints, tmp_path / "changed", "modules.json", lambda path: path.write_text('{"a": 1}'))
    with pytest.raises(ModelError, match=r"modules\.json is not a list of objects"):
        embedder(folder)


# GME


@pytest.mark.parametrize(
    ("item", "instruction", "system", "user"),
    [
        (Item(text="a red tram"), "", "You are a helpful assistant.", "a red tram"),
        (Item(text="a red tram"), "Find an image", "Find an image", "a red tram"),
        (Item(text=""), "", "You are a helpful assistant.", ""),
        (Item(text="what is it?", pixels=pixels(smooth(1, 448, 504))), "", "You are a helpful assistant.", "SEEN"),
    ],
)
def test_gme_is_asked_as_its_own_code_asks(
    checkpoints: Path, item: Item, instruction: str, system: str, user: str
) -> None:
    seen = "<|vision_start|>" + "<|image_pad|>" * (16 * 18) + "<|vision_end|>what is it?"  # 448 x 504 px, 28 px a token
    prompt = (
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user.replace('SEEN', seen)}<|im_end|>\n"
        "<|im_start|>assistant\n<|endoftext|>"
    )
    media = [frames(item.pixels)[0]] if item.pixels else []
    expected = gme_embedding(checkpoints / "gme", prompt, *media)
    vectors = embedder(checkpoints / "gme").embed([Item(text="padding, " * 60), item, Item(pixels=IMAGE)], instruction)
    np.testing.assert_allclose(vectors[1], expected, atol=2e-6)


def test_gme_reads_no_videos(checkpoints: Path) -> None:
    with pytest.raises(ModelError, match="gme reads text and images, no videos"):
        embedder(checkpoints / "gme").embed([Item(pixels=VIDEO)])


def test_a_bare_qwen2_vl_must_say_whose_template_it_takes(checkpoints: Path, tmp_path: Path) -> None:
    def plain(path: Path) -> None:
        path.write_text(json.dumps({"model_type": "qwen2_vl"}))

    folder = _changed(checkpoints, tmp_path / "changed", "config.json", plain)
    with pytest.raises(ModelError, match=r"changed: a Qwen2-VL checkpoint .* use template gme"):
        embedder(folder)


def test_a_template_for_another_architecture_is_refused(checkpoints: Path) -> None:
    with pytest.raises(ModelError, match=r"template gme is for checkpoints of type qwen2_vl, this one is qwen3_vl"):
        embedder(checkpoints / "bare", template="gme")


# The reranker


@pytest.mark.parametrize("checkpoint", ["embedding", "bare"])
@pytest.mark.parametrize(
    ("instruction", "query", "document", "said", "asked", "held", "media"),
    [
        ("Find it.", Item(text="which?"), Item(text="this one"), "Find it.", "which?", "this one", []),
        (
            "",
            Item(text="which?"),
            Item(text=""),
            "Given a search query, retrieve relevant candidates that answer the query.",
            "which?",
            "NULL",
            [],
        ),
        (
            "Find it",
            Item(text="the same", pixels=OTHER),
            Item(pixels=IMAGE),
            "Find it",
            SEEN + "the same",
            SEEN,
            [frames(OTHER)[0], frames(IMAGE)[0]],
        ),
        (
            "Find it",
            Item(pixels=ODD),
            Item(text="a tram", pixels=VIDEO),
            "Find it",
            f"<0.8 seconds>{PAIR}<3.0 seconds>{PAIR}",
            f"<0.5 seconds>{PAIR}<2.8 seconds>{PAIR}a tram",
            [REPEATED, frames(VIDEO)],
        ),
        ("", Item(text="q"), Item(pixels=VIDEO), None, "q", f"<0.5 seconds>{PAIR}<2.8 seconds>{PAIR}", [frames(VIDEO)]),
        ("x", Item(text="<|im_end|>"), Item(text="d"), "x", "< |im_end|>", "d", []),
    ],
)
def test_a_score_is_the_difference_of_the_logits_of_yes_and_no(
    checkpoints: Path,
    checkpoint: str,
    instruction: str,
    query: Item,
    document: Item,
    said: str | None,
    asked: str,
    held: str,
    media: list[Picture],
) -> None:
    told = said or "Given a search query, retrieve relevant candidates that answer the query."
    prompt = (
        f"<|im_start|>system\n{JUDGE}<|im_end|>\n<|im_start|>user\n"
        f"<Instruct>: {told}<Query>:{asked}\n<Document>:{held}<|im_end|>\n<|im_start|>assistant\n"
    )
    model = reranker(checkpoints / checkpoint)
    scores = model.score([(instruction, query, document)])
    np.testing.assert_allclose(scores, [logit(checkpoints / checkpoint, prompt, *media)], atol=1e-5)


def test_scores_do_not_depend_on_what_else_is_in_the_batch(checkpoints: Path) -> None:
    texts = [Item(text=text) for text in ("a", "a longer one " * 12, "c")]
    media = [Item(pixels=VIDEO), Item(text="x", pixels=ODD), Item(pixels=IMAGE), Item(pixels=SINGLE)]
    pairs = [("Find it", query, document) for query in texts for document in (*texts, *media)]
    together = reranker(checkpoints / "bare").score(pairs)
    alone = [float(reranker(checkpoints / "bare", batch_size=1).score([pair])[0]) for pair in pairs]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(reranker(checkpoints / "bare").score(pairs[::-1]), together[::-1], atol=1e-5)


def test_a_pair_whose_score_depends_on_its_neighbours_stops_the_run(checkpoints: Path) -> None:
    model = QwenVlReranker(settings(checkpoints / "bare"))
    pairs = [("Find it", Item(text=f"question {i}"), Item(text="answer")) for i in range(200)]
    model.score(pairs)
    head = model._engine.network.get_output_embeddings()
    # A fault that only shows where there are neighbours.
    head.register_forward_hook(lambda _, __, logits: logits + (len(logits) > 1) * torch.tensor([0.1, 0.0]))
    with pytest.raises(ModelError, match=r"among others and .* by itself, .* set batch_size to 1"):
        model.score(pairs)


def test_a_reranker_is_a_qwen3_vl_checkpoint(checkpoints: Path) -> None:
    with pytest.raises(ModelError, match="a reranker is a Qwen3-VL-Reranker checkpoint"):
        reranker(checkpoints / "gme")


def test_the_fingerprint_of_a_reranker_is_not_that_of_an_embedder(checkpoints: Path) -> None:
    folder = checkpoints / "bare"
    assert reranker(folder).fingerprint != embedder(folder).fingerprint
    small = BudgetSettings(max_text_tokens=8)
    assert reranker(folder, budget=small).fingerprint != reranker(folder).fingerprint
