"""The plain way: literal prompts through transformers, with nothing of pipeline/ between."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from pipeline.models.protocols import Pixels

Vector = NDArray[np.float32]


@functools.cache
def loaded(folder: Path) -> tuple[Any, Any]:
    processor = AutoProcessor.from_pretrained(folder)
    processor.video_processor.cap_pixels_per_frame = True
    return AutoModelForImageTextToText.from_pretrained(folder).eval(), processor


def frames(pixels: Pixels) -> NDArray[np.uint8]:
    return np.stack([np.array(Image.open(io.BytesIO(frame))) for frame in pixels.frames])


def _inputs(folder: Path, prompt: str, media: Sequence[NDArray[np.uint8]]) -> dict[str, torch.Tensor]:
    """prompt: with as many <|image_pad|> and <|video_pad|> as there are visual tokens.
    media: [H, W, 3] or [T, H, W, 3], in a size that needs no scaling."""
    network, processor = loaded(folder)
    ids = processor.tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
    types = (ids == network.config.image_token_id).long() + 2 * (ids == network.config.video_token_id).long()
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "mm_token_type_ids": types}
    for kind, reader in ((3, processor.image_processor), (4, processor.video_processor)):
        same = [medium for medium in media if medium.ndim == kind]
        if same:
            options = {"do_sample_frames": False} if kind == 4 else {}
            inputs |= reader(same, do_resize=False, return_tensors="pt", **options)
    return inputs


def embedding(folder: Path, prompt: str, *media: NDArray[np.uint8]) -> Vector:
    with torch.inference_mode():
        hidden = loaded(folder)[0].model(**_inputs(folder, prompt, media)).last_hidden_state[0, -1]
    return np.asarray(torch.nn.functional.normalize(hidden, dim=0))


def logit(folder: Path, prompt: str, *media: NDArray[np.uint8]) -> float:
    network, processor = loaded(folder)
    with torch.inference_mode():
        logits = network(**_inputs(folder, prompt, media)).logits[0, -1]
    yes, no = processor.tokenizer.convert_tokens_to_ids(["yes", "no"])
    return float(logits[yes] - logits[no])


def gme_embedding(folder: Path, prompt: str, *media: NDArray[np.uint8]) -> Vector:
    """As GME's own code does it: pictures take the place of their tokens before the language model, which then sees
    embeddings only, and counts positions one by one."""
    network, inputs = loaded(folder)[0].model, _inputs(folder, prompt, media)
    with torch.inference_mode():
        states = network.get_input_embeddings()(inputs["input_ids"])
        if media:
            seen = network.visual(inputs["pixel_values"], grid_thw=inputs["image_grid_thw"]).pooler_output
            states[inputs["input_ids"] == network.config.image_token_id] = seen
        hidden = network.language_model(inputs_embeds=states).last_hidden_state[0, -1]
    return np.asarray(torch.nn.functional.normalize(hidden, dim=0))
