"""Qwen3-VL-Embedding, GME and Qwen3-VL-Reranker, asked by their documented templates.

Every load runs the parity check of `pipeline.models.qwen_vl.parity`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.config import ModelSettings
from pipeline.errors import ModelError
from pipeline.models.protocols import Item, Vectors
from pipeline.models.qwen_vl import parity
from pipeline.models.qwen_vl.contents import content
from pipeline.models.qwen_vl.families import QWEN3_VL, Family
from pipeline.models.qwen_vl.plain import one_token, plain_embedding, plain_logit
from pipeline.models.qwen_vl.templates import NO, YES, Parts, prompt
from pipeline.models.qwen_vl.templates import qwen3_vl_reranking as reranking
from pipeline.models.sentence_transformers.engine import Engine
from pipeline.models.sentence_transformers.loading import (
    OWN_WAY,
    load_transformer,
    loading,
    stated_family,
    stated_pooling,
)
from pipeline.models.torch_weights import device, weights_hash


class QwenVlEmbedder:
    """Qwen3-VL-Embedding or GME in its own dtype, on the GPU where there is one."""

    def __init__(self, settings: ModelSettings, family: Family) -> None:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.base.modules import Normalize

        model, where = settings.model, _device(settings)
        with loading(model):
            transformer = load_transformer(model, "feature-extraction")
            self.dim = int(transformer.get_embedding_dimension())
            stack = [transformer, stated_pooling(model, self.dim, family), Normalize()]
            modules = SentenceTransformer(modules=stack, device=where).eval()
        if family.sequential:
            transformer.tokenizer.padding_side = "right"
        self._name, self._family, self._budget = f"{model} ({family.name})", family, settings.budget
        self._engine = Engine(modules, "sentence_embedding", settings, family.sequential)
        template = prompt(family.embedding(("content",), "instruction"))
        self.fingerprint = _fingerprint(family.name, weights_hash(transformer.model), self._engine, settings, template)
        self._check()

    def embed(self, items: Sequence[Item], instruction: str = "") -> Vectors:
        """Return float32 [N, dim], L2-normalised.

        Raises ModelError on a video where the family reads none, and on a vector that is not finite.
        """
        outcomes = self._engine.run([self._parts(item, instruction) for item in items])
        vectors = np.array([outcome.value for outcome in outcomes], np.float32).reshape(len(items), self.dim)
        # Once more in float32: half precision leaves lengths that are off by some thousandths.
        return _finite(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), self._name)

    def _parts(self, item: Item, instruction: str) -> Parts:
        asked = content(item, self._family, self._budget, self._engine.tokenizer)
        return self._family.embedding(asked, instruction)

    def _check(self) -> None:
        engine = self._engine
        probes = [self._parts(item, instruction) for instruction, item in parity.probe_items(self._family)]
        plain = [plain_embedding(engine.network, engine.processor, p, self._family.sequential) for p in probes]
        fix = f"a vector is the last hidden state, its modules do something else; {OWN_WAY}"
        parity.check(self._name, engine.together(probes), plain, parity.vector_tolerance(engine.dtype), fix)


class QwenVlReranker:
    """Qwen3-VL-Reranker in its own dtype, its two answers in float32, on the GPU where there is one."""

    def __init__(self, settings: ModelSettings) -> None:
        import torch
        from sentence_transformers import CrossEncoder
        from sentence_transformers.cross_encoder.modules import LogitScore

        model, where = settings.model, _device(settings)
        if stated_family(settings) is not QWEN3_VL:
            raise ModelError(f"{model}: a reranker is a Qwen3-VL-Reranker checkpoint, with template auto or qwen3-vl")
        with loading(model):
            transformer = load_transformer(model, "any-to-any")
            weights = weights_hash(transformer.model)
            answers = [one_token(transformer.tokenizer, word) for word in (YES, NO)]
            # Two rows instead of a whole vocabulary, and in float32: in bfloat16 a logit of 20 has steps of 0.125.
            rows = transformer.model.get_output_embeddings().weight[answers].detach().float()
            transformer.model.set_output_embeddings(_answers(rows))
            modules = CrossEncoder(
                modules=[transformer, LogitScore(0, 1)], activation_fn=torch.nn.Identity(), device=where
            ).eval()
        self._name, self._budget = f"{model} (reranker)", settings.budget
        self._engine = Engine(modules, "scores", settings)
        template = prompt(reranking(("query",), ("document",), "instruction"))
        self.fingerprint = _fingerprint("reranker", weights, self._engine, settings, template)
        self._tolerance = parity.logit_tolerance(self._engine.dtype)
        self._check(rows.cpu().numpy())

    def score(self, pairs: Sequence[tuple[str, Item, Item]]) -> Vectors:
        """Score (instruction, query, document) triples: float32 [N], logit(yes) - logit(no).

        One pair in a hundred is scored a second time by itself. Raises ModelError when that gives another score, and
        on a score that is not finite.
        """
        asked = [self._parts(pair) for pair in pairs]
        outcomes = self._engine.run(asked)
        for i in [i for i, pair in enumerate(pairs) if len(pairs) > 1 and parity.is_checked(pair)]:
            (alone,) = self._engine.run([asked[i]])
            parity.check_alone(self._name, outcomes[i], alone, self._tolerance)
        return _finite(np.array([outcome.value[0] for outcome in outcomes]), self._name)

    def _parts(self, pair: tuple[str, Item, Item]) -> Parts:
        instruction, *items = pair
        query, document = (content(item, QWEN3_VL, self._budget, self._engine.tokenizer) for item in items)
        return reranking(query, document, instruction)

    def _check(self, head: Vectors) -> None:
        engine = self._engine
        probes = [self._parts(pair) for pair in parity.probe_pairs()]
        plain = [plain_logit(engine.network.model, engine.processor, p, head) for p in probes]
        fix = "its score is not the difference of the logits of yes and no; install the versions of the lock file"
        parity.check(self._name, engine.together(probes), plain, self._tolerance, fix)


def _answers(rows: Any) -> Any:
    """A language-model head of two answers. rows: float32 [2, hidden]."""
    import torch

    class Answers(torch.nn.Module):
        """Logits of `yes` and `no`, float32 [..., 2]."""

        rows: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("rows", rows)

        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.linear(hidden.float(), self.rows)

    return Answers()


def _fingerprint(kind: str, weights: str, engine: Engine, settings: ModelSettings, template: str) -> str:
    asked = hashlib.sha256(template.encode()).hexdigest()[:16]
    budget = settings.budget.model_dump_json()
    return f"sentence_transformers:{kind}:{weights}:{engine.dtype}:{engine.input_hash}:{asked}:{budget}:v1"


def _finite(values: Any, model: str) -> Vectors:
    if not np.isfinite(values).all():
        raise ModelError(f"{model} gave a value that is not finite; use weights in bfloat16 or float32")
    return np.asarray(values, np.float32)


def _device(settings: ModelSettings) -> str:
    import torch

    where = device()
    if where == "cpu":
        torch.set_num_threads(settings.threads)
    return where
