"""Embeddings from any open_clip model: a pretrained tag or a local checkpoint.

`model` is one of
    ViT-B-32/laion2b_s34b_b79k   an architecture and a pretrained tag
    ViT-B-32/<file>              an architecture and a file of weights (`ViT-B-32//data/w.pt`)
    <folder>                     a folder with open_clip_config.json and its weights

A video is the mean of its frames' vectors; text with pixels the sum of both: normalised. CLIP text
encoders were not trained on instructions, so the instruction is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.errors import ModelError
from pipeline.media.jpeg import decode_jpeg
from pipeline.models.protocols import Item, Vectors
from pipeline.models.torch_weights import device, weights_hash


def source(model: str) -> tuple[str, str | None]:
    """(model name, pretrained) for open_clip. Raises ModelError when `model` has none of the forms above."""
    if Path(model).is_dir():
        return f"local-dir:{model}", None
    architecture, slash, pretrained = model.partition("/")
    if not slash or not architecture or not pretrained:
        raise ModelError(
            f"open_clip model {model!r} is neither an existing folder nor of the form architecture/tag, "
            "e.g. ViT-B-32/laion2b_s34b_b79k"
        )
    return architecture, pretrained


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


class OpenClip:
    """An open_clip model in float32, on the GPU where there is one."""

    def __init__(self, model: str, batch_size: int = 32, threads: int = 1) -> None:
        import open_clip
        import torch

        name, pretrained = source(model)
        self._device, self._batch_size = device(), batch_size
        if self._device == "cpu":
            torch.set_num_threads(threads)
        try:
            network, preprocess = open_clip.create_model_from_pretrained(
                name, pretrained=pretrained, device=self._device, precision="fp32"
            )
            tokenize = open_clip.get_tokenizer(name)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"open_clip cannot load {model!r}: {reason}") from error
        self._network: Any = network.eval()
        self._preprocess: Any = preprocess
        self._tokenize: Any = tokenize
        self.fingerprint = f"open_clip:{weights_hash(network)}:float32:{preprocess!r}:v1"
        self.dim = int(self._texts(["a"]).shape[1])

    def embed(self, items: Sequence[Item], instruction: str = "") -> Vectors:  # noqa: ARG002  (see above)
        """Return float32 [N, dim], L2-normalised. Raises ModelError on an item with neither text nor pixels."""
        texts = [i for i, item in enumerate(items) if item.text is not None]
        frames = [(i, frame) for i, item in enumerate(items) if item.pixels for frame in item.pixels.frames]
        empty = set(range(len(items))) - set(texts) - {i for i, _ in frames}
        if empty:
            raise ModelError(f"item {min(empty)} has neither text nor a frame")
        seen = np.zeros((len(items), self.dim), np.float32)
        pixels = self._pictures([frame for _, frame in frames])
        np.add.at(seen, [i for i, _ in frames], pixels)
        result = _unit(seen) * (np.linalg.norm(seen, axis=1, keepdims=True) > 0)
        result[texts] += self._texts([text for i in texts if (text := items[i].text) is not None])
        return _unit(result)

    def _texts(self, texts: list[str]) -> Vectors:
        return self._run(texts, lambda part: self._network.encode_text(self._tokenize(part).to(self._device)))

    def _pictures(self, frames: list[bytes]) -> Vectors:
        import torch

        def encode(part: list[bytes]) -> Any:
            pictures = [self._preprocess(Image.fromarray(decode_jpeg(frame))) for frame in part]
            return self._network.encode_image(torch.stack(pictures).to(self._device))

        return self._run(frames, encode)

    def _run(self, inputs: list[Any], encode: Any) -> Vectors:
        import torch

        with torch.inference_mode():
            parts = [
                encode(inputs[start : start + self._batch_size]).float().cpu().numpy()
                for start in range(0, len(inputs), self._batch_size)
            ]
        return _unit(np.concatenate(parts)) if parts else np.zeros((0, getattr(self, "dim", 0)), np.float32)
