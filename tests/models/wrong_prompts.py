"""Prompts that are nearly the documented one: the mistakes that engines and checkpoints invite."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.models.qwen_vl.templates import Clip, Parts

Change = Callable[[Parts], Parts]


def _replaced(old: str, new: str) -> Change:
    return lambda parts: tuple(part.replace(old, new) if isinstance(part, str) else part for part in parts)


def _wrapped(parts: Parts) -> Parts:
    """A pair of marks around a whole video, as transformers 5.10 makes it of Qwen's own chat template."""
    wrapped = [("<|vision_start|>", part, "<|vision_end|>") if isinstance(part, Clip) else (part,) for part in parts]
    return tuple(part for group in wrapped for part in group)


CHANGES: dict[str, Change] = {
    "no assistant's turn": _replaced("<|im_start|>assistant\n", ""),
    "no <|endoftext|>": _replaced("<|endoftext|>", ""),
    "<|endoftext|> twice": _replaced("<|endoftext|>", "<|endoftext|>" * 2),
    "no full stop": _replaced(".<|im_end|>\n<|im_start|>user", "<|im_end|>\n<|im_start|>user"),
    "another default instruction": _replaced("Represent the user's input.", "You are a helpful assistant."),
    "marks around the whole video": _wrapped,
}
