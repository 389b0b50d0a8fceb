"""The checkpoint in plain transformers, for the parity check of an engine: loaded on the CPU, used once, dropped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.models.qwen_vl.plain import Outcome, one_token, plain_embedding, plain_logit
from pipeline.models.qwen_vl.templates import END_OF_TEXT, NO, YES, Parts


def read_tokenizer(folder: Path) -> Any:
    """The checkpoint's tokenizer. Raises ModelError where it splits a token of the template."""
    from transformers import AutoTokenizer

    tokenizer = _loaded(AutoTokenizer, folder)
    for word in (END_OF_TEXT, "<|im_start|>", "<|im_end|>", YES, NO):
        one_token(tokenizer, word)
    return tokenizer


class PlainModel:
    """A Qwen3-VL network and its processor."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.processor = _loaded(AutoProcessor, folder)
        if hasattr(self.processor.video_processor, "cap_pixels_per_frame"):
            self.processor.video_processor.cap_pixels_per_frame = True  # unset, it warns of another default to come
        self.network = _loaded(AutoModelForImageTextToText, folder, dtype="auto").eval()
        self.dtype = str(self.network.dtype).removeprefix("torch.")

    @classmethod
    def embeddings(cls, folder: Path, asked: Sequence[Parts]) -> tuple[list[Outcome], str]:
        """The vectors of prompts, one by one, and the dtype of the weights."""
        plain = cls(folder)
        return [plain_embedding(plain.network.model, plain.processor, p, False) for p in asked], plain.dtype

    @classmethod
    def logits(cls, folder: Path, asked: Sequence[Parts]) -> tuple[list[Outcome], str]:
        """logit(yes) - logit(no) of prompts, one by one, and the dtype of the weights."""
        plain = cls(folder)
        answers = [one_token(plain.processor.tokenizer, word) for word in (YES, NO)]
        head = plain.network.get_output_embeddings().weight[answers].detach().float().numpy()
        return [plain_logit(plain.network.model, plain.processor, p, np.asarray(head)) for p in asked], plain.dtype


def _loaded(kind: Any, folder: Path, **options: Any) -> Any:
    try:
        return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **options)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"transformers cannot load {folder}: {' '.join(str(error).split())}") from error
