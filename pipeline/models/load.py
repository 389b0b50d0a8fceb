"""Loads a model once a process: the only place that imports adapters, inside functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, cast

from pipeline.config import AnyModel, ModelSettings, ScorerSettings, VlmSettings
from pipeline.errors import ModelError
from pipeline.models.protocols import Embedder
from pipeline.models.truncated import Truncated
from pipeline.stage import ModelRef


def _builtin_classifier(settings: AnyModel) -> object:
    from pipeline.models.builtin.classifier import ImageNetClassifier

    return ImageNetClassifier(settings.model, settings.threads)


def _builtin_embedder(settings: AnyModel) -> object:
    from pipeline.models.builtin.embedder import JointSpace

    return JointSpace(settings.model, settings.threads)


def _builtin_text_reader(settings: AnyModel) -> object:
    from pipeline.media.ocr import RapidOcrReader

    return RapidOcrReader(settings.threads)


def _open_clip_embedder(settings: AnyModel) -> object:
    from pipeline.models.open_clip import OpenClip

    return OpenClip(settings.model, settings.batch_size, settings.threads)


def _sentence_transformers_embedder(settings: ModelSettings) -> object:
    from pipeline.models.sentence_transformers.described import SentenceTransformersEmbedder
    from pipeline.models.sentence_transformers.loading import stated_family
    from pipeline.models.sentence_transformers.qwen_vl import QwenVlEmbedder

    family = stated_family(settings)
    if family is None:
        return SentenceTransformersEmbedder(settings.model, settings.batch_size, settings.threads)
    return QwenVlEmbedder(settings, family)


def _sentence_transformers_reranker(settings: ModelSettings) -> object:
    from pipeline.models.sentence_transformers.qwen_vl import QwenVlReranker

    return QwenVlReranker(settings)


def _vllm_vlm(settings: VlmSettings) -> object:
    from pipeline.models.vllm.vlm import VllmVlm

    return VllmVlm(settings)


def _vllm_embedder(settings: ModelSettings) -> object:
    from pipeline.models.vllm.pooling import VllmEmbedder

    return VllmEmbedder(settings)


def _vllm_reranker(settings: ModelSettings) -> object:
    from pipeline.models.vllm.pooling import VllmReranker

    return VllmReranker(settings)


def _openai_vlm(settings: VlmSettings) -> object:
    from pipeline.models.openai.vlm import OpenAiVlm

    return OpenAiVlm(settings)


def _fake_classifier(settings: AnyModel) -> object:
    from pipeline.models.fake import FakeClassifier

    return FakeClassifier(settings.model)


def _fake_text_reader(settings: AnyModel) -> object:
    from pipeline.models.fake import FakeTextReader

    return FakeTextReader(settings.model)


def _fake_embedder(settings: AnyModel) -> object:
    from pipeline.models.fake import FakeEmbedder

    return FakeEmbedder(settings.model)


def _fake_vlm(settings: AnyModel) -> object:
    from pipeline.models.fake import FakeVlm

    return FakeVlm(settings.model)


def _scorers(settings: tuple[ScorerSettings, ...]) -> object:
    from pipeline.models.scorers import Scorers

    # Loaded by reference, so that an embedder that another stage of the process uses is not loaded twice.
    embedders = {s.embedder: cast(Embedder, load(ModelRef("embedder", s.embedder))) for s in settings}
    return Scorers(settings, embedders)


_LOADERS: dict[tuple[str, str], Callable[[Any], object]] = {
    ("builtin", "classifier"): _builtin_classifier,
    ("builtin", "embedder"): _builtin_embedder,
    ("builtin", "text_reader"): _builtin_text_reader,
    ("open_clip", "embedder"): _open_clip_embedder,
    ("sentence_transformers", "embedder"): _sentence_transformers_embedder,
    ("sentence_transformers", "reranker"): _sentence_transformers_reranker,
    ("vllm", "vlm"): _vllm_vlm,
    ("vllm", "embedder"): _vllm_embedder,
    ("vllm", "reranker"): _vllm_reranker,
    ("openai", "vlm"): _openai_vlm,
    ("fake", "classifier"): _fake_classifier,
    ("fake", "text_reader"): _fake_text_reader,
    ("fake", "embedder"): _fake_embedder,
    ("fake", "vlm"): _fake_vlm,
}


@cache
def load(ref: ModelRef) -> object:
    """The model that `ref` names, the same object for equal references.

    Raises ModelError when the adapter has no model of that kind, or its weights cannot be loaded.
    """
    if ref.kind == "scorers":
        return _scorers(ref.settings)
    adapter = ref.settings.adapter
    loader = _LOADERS.get((adapter, ref.kind))
    if loader is None:
        kinds = ", ".join(k for a, k in _LOADERS if a == adapter) or "nothing"
        adapters = ", ".join(a for a, k in _LOADERS if k == ref.kind) or "no adapter"
        raise ModelError(f"adapter {adapter} has no {ref.kind}: it has {kinds}; a {ref.kind} comes with {adapters}")
    dim = ref.settings.dim if isinstance(ref.settings, ModelSettings) else None
    if dim is None:
        return loader(ref.settings)
    if ref.kind != "embedder":
        raise ModelError(f"dim is {dim}, but a {ref.kind} gives no vectors; leave dim out")
    whole = load(ModelRef(ref.kind, ref.settings.model_copy(update={"dim": None})))
    return Truncated(cast(Embedder, whole), dim, ref.settings.model)
