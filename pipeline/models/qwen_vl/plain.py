"""One prompt through a transformers model alone: what every engine's result is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.models.protocols import Vectors
from pipeline.models.qwen_vl.templates import Clip, Parts, Still, prompt


@dataclass(frozen=True)
class Outcome:
    """What a model made of one prompt."""

    tokens: tuple[int, ...]  # without padding
    value: Vectors  # [dim] of length 1, or [1]: a logit


def plain_embedding(network: Any, processor: Any, parts: Parts, sequential: bool) -> Outcome:
    """The vector of one prompt: the last hidden state of its last token, at length 1.

    network: the bare model, without a language-model head. sequential: as `Family` has it.
    """
    tokens, hidden = _last_state(network, processor, parts, sequential)
    return Outcome(tokens, np.asarray(hidden / np.linalg.norm(hidden), np.float32))


def plain_logit(network: Any, processor: Any, parts: Parts, head: Vectors) -> Outcome:
    """logit(yes) - logit(no) of the token that follows one prompt.

    network: the bare model. head: float32 [2, hidden], the rows of `yes` and `no` in its language-model head.
    """
    tokens, hidden = _last_state(network, processor, parts, sequential=False)
    return Outcome(tokens, np.asarray([hidden @ (head[0] - head[1])], np.float32))


def _last_state(network: Any, processor: Any, parts: Parts, sequential: bool) -> tuple[tuple[int, ...], Vectors]:
    import torch

    clips = [part for part in parts if isinstance(part, Clip)]
    inputs = processor(
        text=[prompt(parts)],
        images=[part.picture for part in parts if isinstance(part, Still)] or None,
        videos=[clip.frames for clip in clips] or None,
        text_kwargs={"add_special_tokens": False},
        images_kwargs={"do_resize": False},
        videos_kwargs={
            "do_resize": False,
            "do_sample_frames": False,
            **({"video_metadata": [clip.metadata for clip in clips]} if clips else {}),
        },
        return_tensors="pt",
    ).to(network.device)
    if sequential:
        inputs["position_ids"] = positions(inputs["input_ids"])
    with torch.inference_mode():
        hidden = network(**inputs).last_hidden_state[0, -1].float().cpu().numpy()
    return tuple(inputs["input_ids"][0].tolist()), hidden


def positions(input_ids: Any) -> Any:
    """Positions that count the tokens of a batch one by one: int64 [3, N, L] from 0; padding must be to the right."""
    import torch

    count = torch.arange(input_ids.shape[1], device=input_ids.device)
    return count.view(1, 1, -1).expand(3, *input_ids.shape)


def one_token(tokenizer: Any, word: str) -> int:
    """The id of a word. Raises ModelError where the tokenizer makes it more than one token."""
    found: list[int] = tokenizer(word, add_special_tokens=False).input_ids
    if len(found) != 1:
        raise ModelError(f"the tokenizer splits {word!r}, which is one token in the documented template")
    return found[0]
