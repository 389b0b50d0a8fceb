"""Qwen3-VL-Embedding and Qwen3-VL-Reranker in a vLLM engine, asked by their documented templates.

The parity check of `pipeline.models.qwen_vl.parity` runs when an engine is first asked.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import ModelSettings
from pipeline.errors import ModelError
from pipeline.models.handover import for_each
from pipeline.models.loop import Loop
from pipeline.models.protocols import Item, Vectors
from pipeline.models.qwen_vl import parity
from pipeline.models.qwen_vl.contents import content
from pipeline.models.qwen_vl.families import QWEN3_VL, family_of
from pipeline.models.qwen_vl.plain import Outcome
from pipeline.models.qwen_vl.templates import Parts, prompt, qwen3_vl_embedding
from pipeline.models.qwen_vl.templates import qwen3_vl_reranking as reranking
from pipeline.models.vllm.arguments import Arguments, embedding_arguments, environment, reranking_arguments
from pipeline.models.vllm.checkpoint import checkpoint_hash, config_of, folder_of
from pipeline.models.vllm.engine import Engine, RefusedError
from pipeline.models.vllm.inputs import prompt_of
from pipeline.models.vllm.outputs import outcome_of
from pipeline.models.vllm.reference import PlainModel, read_tokenizer

VERSION = 1
_TEMPLATE_TOKENS = 256  # of the template around an item, and of the times in a video, at most
_FIX = "install the versions of the lock file"


class _Pooling:
    """An engine that gives a value a prompt. Calls from several threads share it."""

    def __init__(self, settings: ModelSettings, folder: Path, arguments: Arguments, task: str) -> None:
        self.tokenizer = read_tokenizer(folder)
        self._settings, self._task = settings, task
        engine = Engine(settings.model, arguments, environment(settings.engine, settings.threads))
        self._engine, self._loop = engine, Loop()
        self.close = weakref.finalize(self, _close, self._loop, engine)

    def run(self, asked: Sequence[Parts]) -> list[Outcome]:
        """One outcome a prompt, in order. Raises ModelError when a prompt is refused."""
        return self._loop.start(for_each(len(asked), lambda i: self._one(asked[i]))).result()

    async def _one(self, parts: Parts) -> Outcome:
        from vllm import PoolingParams

        # A logit as it is, not squeezed into 0..1; a vector at length 1.
        params = PoolingParams(task=self._task, use_activation=self._task == "embed")
        try:
            return outcome_of(await self._engine.ask(prompt_of(parts), params))
        except RefusedError as error:
            raise ModelError(f"{self._settings.model} refuses an item: {error}") from error


class VllmEmbedder:
    """Qwen3-VL-Embedding. `model` is a folder, or a name that the hub knows.

    The engine is started, and checked, when something is first embedded.
    """

    def __init__(self, settings: ModelSettings) -> None:
        folder = checked_folder(settings, items=1)
        self._name, self._budget = settings.model, settings.budget
        self._folder, self._dtype = folder, settings.engine.dtype
        self.dim = int(config_of(folder)["text_config"]["hidden_size"])
        template = prompt(qwen3_vl_embedding(("content",), "instruction"))
        self.fingerprint = _fingerprint("embedding", folder, settings, template)
        arguments = embedding_arguments(folder, settings.engine, settings.budget)
        self._pooling = _Pooling(settings, folder, arguments, "embed")
        self._parity = _Once(self._check)

    def embed(self, items: Sequence[Item], instruction: str = "") -> Vectors:
        """Return float32 [N, dim], L2-normalised. Raises ModelError on a vector that is not finite."""
        if not items:
            return np.zeros((0, self.dim), np.float32)
        self._parity()
        outcomes = self._pooling.run([self._parts(item, instruction) for item in items])
        vectors = np.array([outcome.value for outcome in outcomes], np.float32).reshape(len(items), self.dim)
        return _finite(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), self._name)

    def _parts(self, item: Item, instruction: str) -> Parts:
        return qwen3_vl_embedding(content(item, QWEN3_VL, self._budget, self._pooling.tokenizer), instruction)

    def _check(self) -> None:
        probes = [self._parts(item, instruction) for instruction, item in parity.probe_items(QWEN3_VL)]
        # Before the engine takes the memory.
        plain, weights = PlainModel.embeddings(self._folder, probes)
        tolerance = parity.vector_tolerance(_coarser(weights, self._dtype))
        parity.check(self._name, self._pooling.run(probes), plain, tolerance, _FIX)


class VllmReranker:
    """Qwen3-VL-Reranker. `model` is a folder, or a name that the hub knows.

    The engine is started, and checked, when something is first scored.
    """

    def __init__(self, settings: ModelSettings) -> None:
        folder = checked_folder(settings, items=2)
        self._name, self._budget = settings.model, settings.budget
        self._folder, self._dtype = folder, settings.engine.dtype
        template = prompt(reranking(("query",), ("document",), "instruction"))
        self.fingerprint = _fingerprint("reranker", folder, settings, template)
        arguments = reranking_arguments(folder, settings.engine, settings.budget)
        self._pooling = _Pooling(settings, folder, arguments, "classify")
        self._parity = _Once(self._check)

    def score(self, pairs: Sequence[tuple[str, Item, Item]]) -> Vectors:
        """Score (instruction, query, document) triples: float32 [N], logit(yes) - logit(no).

        One pair in a hundred is scored a second time by itself. Raises ModelError when that gives another score, and
        on a score that is not finite.
        """
        if not pairs:
            return np.zeros(0, np.float32)
        self._parity()
        asked = [self._parts(pair) for pair in pairs]
        outcomes = self._pooling.run(asked)
        for i in [i for i, pair in enumerate(pairs) if len(pairs) > 1 and parity.is_checked(pair)]:
            (alone,) = self._pooling.run([asked[i]])
            parity.check_alone(self._name, outcomes[i], alone, self._tolerance)
        return _finite(np.array([outcome.value[0] for outcome in outcomes]), self._name)

    def _parts(self, pair: tuple[str, Item, Item]) -> Parts:
        instruction, *items = pair
        query, document = (content(item, QWEN3_VL, self._budget, self._pooling.tokenizer) for item in items)
        return reranking(query, document, instruction)

    def _check(self) -> None:
        probes = [self._parts(pair) for pair in parity.probe_pairs()]
        plain, weights = PlainModel.logits(self._folder, probes)
        self._tolerance = parity.logit_tolerance(_coarser(weights, self._dtype))
        parity.check(self._name, self._pooling.run(probes), plain, self._tolerance, _FIX)


class _Once:
    """Calls `check` the first time, whichever thread comes first; again if it raised."""

    def __init__(self, check: Any) -> None:
        self._check, self._lock, self._done = check, threading.Lock(), False

    def __call__(self) -> None:
        with self._lock:
            if not self._done:
                self._check()
                self._done = True


def checked_folder(settings: ModelSettings, items: int) -> Path:
    """The checkpoint of `settings`. items: in a prompt at most.

    Raises ModelError on another family than Qwen3-VL, and where a prompt within the budget would not fit the engine.
    """
    folder = folder_of(settings.model)
    if family_of(config_of(folder), settings.template, (folder / "modules.json").is_file()) is not QWEN3_VL:
        raise ModelError(
            f"{settings.model}: adapter vllm reads Qwen3-VL-Embedding and Qwen3-VL-Reranker; use "
            "sentence_transformers for other checkpoints"
        )
    budget, limit = settings.budget, settings.engine.max_model_len
    seen = max(budget.max_image_tokens, budget.max_video_tokens + 12 * budget.max_video_frames)
    longest = items * (seen + budget.max_text_tokens) + _TEMPLATE_TOKENS
    if longest > limit:
        raise ModelError(
            f"a prompt within the budget of {settings.model} may have {longest} tokens, engine.max_model_len is "
            f"{limit}; raise it, or lower the budget"
        )
    return folder


def _coarser(weights: str, engine: str) -> str:
    """In which dtype an engine and the plain pass may be compared. engine: as it is set; auto computes in half."""
    return "float32" if weights == engine == "float32" else "half"


def _fingerprint(kind: str, folder: Path, settings: ModelSettings, template: str) -> str:
    asked = hashlib.sha256(template.encode()).hexdigest()[:16]
    engine = f"{settings.engine.dtype}:{settings.engine.quantization}"
    return f"vllm:{kind}:{checkpoint_hash(folder)}:{engine}:{asked}:{settings.budget.model_dump_json()}:v{VERSION}"


def _finite(values: Any, model: str) -> Vectors:
    if not np.isfinite(values).all():
        raise ModelError(f"{model} gave a value that is not finite; use weights in bfloat16 or float32")
    return np.asarray(values, np.float32)


def _close(loop: Loop, engine: Engine) -> None:
    loop.start(engine.close()).result()
    loop.close()
