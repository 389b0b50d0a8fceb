"""Modules of sentence-transformers behind one method: the parts of prompts in, outcomes out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from PIL import Image

from pipeline.config import ModelSettings
from pipeline.models.qwen_vl.plain import Outcome, positions
from pipeline.models.qwen_vl.templates import Clip, Parts, Still


class Engine:
    """A SentenceTransformer or CrossEncoder whose first module `loading.load_transformer` made.

    output: the name of what its last module gives, `sentence_embedding` or `scores`. sequential: as `Family` has it.
    """

    def __init__(self, modules: Any, output: str, settings: ModelSettings, sequential: bool = False) -> None:
        self.modules, self._output, self._sequential = modules, output, sequential
        self._batch_size = settings.batch_size
        transformer = modules[0]
        self.network, self.processor, self.tokenizer = transformer.model, transformer.processor, transformer.tokenizer
        self.dtype = str(self.network.dtype).removeprefix("torch.")

    def run(self, asked: Sequence[Parts]) -> list[Outcome]:
        """One outcome a prompt, in order. Prompts with video, with images and without share no batch: padding a
        sentence to the length of a video would cost as much as the video."""
        outcomes: dict[int, Outcome] = {}
        for kind in (Clip, Still, str):
            same = [i for i, parts in enumerate(asked) if _kind(parts) is kind]
            for start in range(0, len(same), self._batch_size):
                batch = same[start : start + self._batch_size]
                outcomes.update(zip(batch, self.together([asked[i] for i in batch]), strict=True))
        return [outcomes[i] for i in range(len(asked))]

    def together(self, batch: Sequence[Parts]) -> list[Outcome]:
        """One outcome a prompt, all in one padded batch."""
        import torch
        from sentence_transformers.util import batch_to_device

        clips = [part.metadata for parts in batch for part in parts if isinstance(part, Clip)]
        per_call = {"video": {"video_metadata": clips}} if clips else {}
        features = self.modules.preprocess([_message(parts) for parts in batch], processing_kwargs=per_call)
        if self._sequential:
            features["position_ids"] = positions(features["input_ids"])
        tokens = [
            tuple(row[kept.bool()].tolist())
            for row, kept in zip(features["input_ids"], features["attention_mask"], strict=True)
        ]
        with torch.inference_mode():
            values = self.modules(batch_to_device(features, self.network.device))[self._output].float().cpu().numpy()
        return [Outcome(*one) for one in zip(tokens, values, strict=True)]

    @property
    def input_hash(self) -> str:
        """Names everything between a prompt and the network: tokenizer, normalisation of pixels, patches."""
        parts = [self.processor.image_processor, self.processor.video_processor]
        texts = [part.to_json_string() for part in parts] + [self.tokenizer.backend_tokenizer.to_str()]
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _kind(parts: Parts) -> type:
    kinds = set(map(type, parts))
    return Clip if Clip in kinds else Still if Still in kinds else str


def _message(parts: Parts) -> list[dict[str, Any]]:
    """Parts as one chat message. Text is marked as text: bare strings that look like a path or URL would be opened."""
    written: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, str):
            written.append({"type": "text", "text": part})
        elif isinstance(part, Still):
            written.append({"type": "image", "image": Image.fromarray(part.picture)})
        else:
            written.append({"type": "video", "video": part.frames})
    return [{"role": "user", "content": written}]
