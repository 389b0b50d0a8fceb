"""Embeddings from SentenceTransformer checkpoints: text models, and multimodal ones that it can load.

The instruction is the checkpoint's prompt: a prefix for text models, the system turn for those with
a chat template. A medium that the checkpoint cannot read is an error, never dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.errors import ModelError
from pipeline.media.jpeg import decode_jpeg
from pipeline.models.protocols import Item, Pixels, Vectors
from pipeline.models.torch_weights import device, weights_hash


def _video(pixels: Pixels) -> dict[str, Any]:
    """Frames as ST takes them, with the times they were sampled at."""
    frames = np.stack([decode_jpeg(frame) for frame in pixels.frames])
    span_s = pixels.times_s[-1] - pixels.times_s[0]
    metadata = {
        "fps": (len(frames) - 1) / span_s if span_s > 0 else 1.0,
        "total_num_frames": len(frames),
        "duration": max(span_s, 1.0),
        "frames_indices": list(range(len(frames))),
    }
    return {"array": frames, "video_metadata": metadata}


def to_input(item: Item) -> dict[str, Any]:
    """An item as SentenceTransformer reads it: a dict by modality. A bare string that looks like a path or URL would be
    opened as one.

    Raises ModelError on an item with neither text nor a frame.
    """
    if item.pixels is None:
        if item.text is None:
            raise ModelError("an item has neither text nor pixels")
        return {"text": item.text}
    if not item.pixels.frames:
        raise ModelError("an item's pixels have no frame")
    parts: dict[str, Any] = {} if item.text is None else {"text": item.text}
    if item.pixels.video:
        parts["video"] = _video(item.pixels)
    else:
        parts["image"] = Image.fromarray(decode_jpeg(item.pixels.frames[0]))
    return parts


def modality(item: Item) -> str | tuple[str, ...]:
    """What ST calls the kind of an item: `text`, `image`, `video`, or the parts of a mixture."""
    parts = [] if item.text is None else ["text"]
    parts += [] if item.pixels is None else ["video" if item.pixels.video else "image"]
    return parts[0] if len(parts) == 1 else tuple(parts)


class SentenceTransformersEmbedder:
    """A SentenceTransformer in its own dtype, on the GPU where there is one."""

    def __init__(self, model: str, batch_size: int = 32, threads: int = 1) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        self._batch_size, where = batch_size, device()
        if where == "cpu":
            torch.set_num_threads(threads)
        try:
            self._network: Any = SentenceTransformer(model, device=where, local_files_only=Path(model).exists())
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"sentence_transformers cannot load {model!r}: {reason}") from error
        self._name = model
        dtype = next(self._network.parameters()).dtype
        self.dim = int(self._network.get_embedding_dimension() or 0)
        modules = "+".join(repr(type(m).__name__) for m in self._network)
        self.fingerprint = (
            f"sentence_transformers:{weights_hash(self._network)}:{dtype}:{modules}:{self._network.max_seq_length}:v1"
        )

    def embed(self, items: Sequence[Item], instruction: str = "") -> Vectors:
        """Return float32 [N, dim], L2-normalised.

        Raises ModelError naming the first item of a modality that the checkpoint does not read.
        """
        for position, item in enumerate(items):
            kind = modality(item)
            if not self._network.supports(kind):
                name = kind if isinstance(kind, str) else " with ".join(kind)
                raise ModelError(
                    f"item {position} is {name}, which {self._name} does not read; it reads "
                    f"{', '.join(map(str, self._network.modalities))}"
                )
        if not items:
            return np.zeros((0, self.dim), np.float32)
        vectors = self._network.encode(
            [to_input(item) for item in items],
            prompt=instruction or None,
            batch_size=self._batch_size,
            convert_to_numpy=True,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors, np.float32)
