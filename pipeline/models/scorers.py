"""Scores of pictures from any Embedder: a linear head (aesthetics) or prompts (NSFW, watermarks).

A linear head is what LAION's aesthetic predictors are: linear layers over CLIP's normalised image
vector. Prompts are CLIP's zero-shot classification (Radford et al. 2021, section 3.1).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config import ModelSettings, ScorerSettings
from pipeline.errors import ModelError
from pipeline.models.protocols import Embedder, Item, Pixels, Vectors
from pipeline.models.torch_weights import read_state_dict

Head = Callable[[Vectors], Vectors]  # float32 [N, dim] -> float32 [N]


class Scorers:
    """All scorers of a run. Those with the same embedder share it, and one embedding of each asset."""

    def __init__(self, settings: Sequence[ScorerSettings], embedders: Mapping[ModelSettings, Embedder]) -> None:
        self.names = tuple(s.name for s in settings)
        self._embedders = embedders
        self._heads = [(s.embedder, _head(s, embedders[s.embedder])) for s in settings]
        made = [
            f"{s.model_dump_json(exclude={'weights', 'min_score', 'max_score'})}:{embedders[s.embedder].fingerprint}"
            f":{_hash(s.weights)}"
            for s in settings
        ]
        self.fingerprint = "scorers:" + "|".join(made)

    def score(self, assets: Sequence[Pixels]) -> Vectors:
        """Return float32 [N, S], a column a scorer. Raises ModelError on a score that is not finite."""
        items = [Item(pixels=pixels) for pixels in assets]
        vectors = {settings: embedder.embed(items) for settings, embedder in self._embedders.items()}
        scores = np.stack([head(vectors[embedder]) for embedder, head in self._heads], axis=1)
        if not np.isfinite(scores).all():
            raise ModelError(f"a score of {', '.join(self.names)} is not finite; are these the weights of a head?")
        return np.asarray(scores, np.float32)


def _head(settings: ScorerSettings, embedder: Embedder) -> Head:
    if settings.kind == "zero_shot":
        return zero_shot(settings, embedder)
    if settings.weights is None:
        raise ModelError(f"scorer {settings.name} names no weights")
    dim = embedder.embed([Item(text="a")]).shape[1]
    return linear_head(settings, layers(settings.weights, dim))


def zero_shot(settings: ScorerSettings, embedder: Embedder) -> Head:
    """The probability, 0..1, that a picture fits one of `prompts` rather than one of `against`."""
    texts = embedder.embed([Item(text=text) for text in (*settings.prompts, *settings.against)])

    def head(vectors: Vectors) -> Vectors:
        logits = np.einsum("nd,td->nt", vectors, texts).astype(np.float64) / settings.temperature
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        share = odds[:, : len(settings.prompts)].sum(axis=1) / odds.sum(axis=1)
        return np.asarray(share, np.float32)

    return head


@dataclass(frozen=True)
class Layer:
    """One linear layer: weight float32 [out, in], bias float32 [out]."""

    weight: Vectors
    bias: Vectors


def linear_head(settings: ScorerSettings, stack: Sequence[Layer]) -> Head:
    """Linear layers one after the other, with ReLU between and a sigmoid behind where the settings say so."""

    def head(vectors: Vectors) -> Vectors:
        values = vectors
        for number, layer in enumerate(stack):
            if number and settings.relu:
                values = np.maximum(values, 0)
            # Row by row, so that a score has the same bits whatever else is in the batch.
            values = np.stack([layer.weight @ row + layer.bias for row in values]) if len(values) else values[:, :1]
        flat = values[:, 0]
        return np.asarray(1 / (1 + np.exp(-flat)) if settings.sigmoid else flat, np.float32)

    return head


def layers(path: Path, dim: int) -> list[Layer]:
    """The linear layers of a checkpoint (safetensors, or a torch state dict), in the order of their numbers.

    dim: what the embedder gives. Raises ModelError when the file cannot be read, holds anything but
    linear layers, or these do not lead from `dim` values to one.
    """
    tensors = _tensors(path)
    stack = []
    for name in sorted((n for n in tensors if n.split(".")[-1] == "weight"), key=_natural):
        weight, bias = tensors.pop(name), tensors.pop(name.removesuffix("weight") + "bias", None)
        if weight.ndim != 2:
            raise ModelError(f"{path}: {name} has the shape {weight.shape}; a linear layer has two dimensions")
        stack.append(Layer(weight, np.zeros(len(weight), np.float32) if bias is None else bias.reshape(-1)))
    if tensors:
        raise ModelError(f"{path} holds {', '.join(sorted(tensors))} beside linear layers")
    widths = [dim, *(len(layer.weight) for layer in stack)]
    takes = [layer.weight.shape[1] for layer in stack]
    if not stack or takes != widths[:-1] or widths[-1] != 1 or any(len(x.bias) != len(x.weight) for x in stack):
        shapes = " -> ".join(f"{x.weight.shape[1]}:{len(x.weight)}" for x in stack) or "no layer"
        raise ModelError(f"{path} holds {shapes}; this embedder's head leads from {dim} to 1: is it another model's?")
    return stack


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts `layers.10.weight` behind `layers.2.weight`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"\.", name)]


def _tensors(path: Path) -> dict[str, Vectors]:
    return {name: tensor.float().numpy() for name, tensor in read_state_dict(path).items()}


def _hash(path: Path | None) -> str:
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()[:16]
