"""Does an engine ask what the template says? It is compared with a plain transformers forward pass.

Three small items go through both whenever such a model is loaded, and one in a hundred of a
reranker's pairs is scored again by itself, where no neighbour, padding or mix-up of media can reach it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from pipeline.errors import ModelError
from pipeline.media.jpeg import encode_jpeg
from pipeline.models.protocols import Item, Picture, Pixels
from pipeline.models.qwen_vl.families import Family
from pipeline.models.qwen_vl.plain import Outcome

# Largest length of the difference of two unit vectors, and difference of two logits, by the model's dtype. Measured
# (docs/models.md): rounding, and the least that a wrong prompt changes, a full stop that is missing.
VECTOR_TOLERANCE = {"float32": 1e-4}
LOGIT_TOLERANCE = {"float32": 1e-3}
HALF_VECTOR_TOLERANCE = 0.06
HALF_LOGIT_TOLERANCE = 0.5
CHECKED_IN = 100  # one pair of so many


Pair = tuple[str, Item, Item]  # instruction, query, document


def _picture(seed: int) -> Picture:
    """64 x 96 px: smooth, so that JPEG keeps it."""
    y, x = np.mgrid[0:64, 0:96]
    return np.stack([x * 2 + seed, y * 3 + seed, (x + y) % 64 * 3 + seed], -1).astype(np.uint8)


def _pixels(frames: int, video: bool) -> Pixels:
    return Pixels(
        tuple(encode_jpeg(_picture(20 * i)) for i in range(frames)), tuple(1.5 * i for i in range(frames)), video
    )


def probe_items(family: Family) -> list[tuple[str, Item]]:
    """Three (instruction, item): a text whose instruction has no full stop, an image, and a mixture; with a video of an
    odd number of frames where the family reads videos."""
    mixed = _pixels(3, video=True) if family.videos else _pixels(1, video=False)
    return [
        ("Find the picture that fits the caption", Item(text="A red tram crosses the old bridge.")),
        ("", Item(pixels=_pixels(1, video=False))),
        ("Represent the scene.", Item(text="what happens here?", pixels=mixed)),
    ]


def probe_pairs() -> list[Pair]:
    """Three pairs: text with text, a mixture with an image, text with a video."""
    image, video = _pixels(1, video=False), _pixels(3, video=True)
    return [
        ("Find the answer.", Item(text="Which colour is it?"), Item(text="It is red.")),
        ("", Item(text="the same from above", pixels=image), Item(pixels=image)),
        ("Find the video", Item(text="a tram crosses a bridge"), Item(text="tram", pixels=video)),
    ]


def vector_tolerance(dtype: str) -> float:
    """How far unit vectors of equal prompts may lie apart. dtype: e.g. float32, bfloat16."""
    return VECTOR_TOLERANCE.get(dtype, HALF_VECTOR_TOLERANCE)


def logit_tolerance(dtype: str) -> float:
    """How far logits of equal prompts may lie apart."""
    return LOGIT_TOLERANCE.get(dtype, HALF_LOGIT_TOLERANCE)


def check(model: str, got: Sequence[Outcome], plain: Sequence[Outcome], tolerance: float, fix: str) -> None:
    """Raise ModelError when an engine's outcomes are not those of a plain forward pass of the same items.

    model: how the error names it. fix: what to do when the tokens agree and the values do not.
    """
    for number, (ours, theirs) in enumerate(zip(got, plain, strict=True), 1):
        if ours.tokens != theirs.tokens:
            at = next((i for i, (a, b) in enumerate(zip(ours.tokens, theirs.tokens, strict=False)) if a != b), None)
            at = min(len(ours.tokens), len(theirs.tokens)) if at is None else at
            raise ModelError(
                f"{model} is not asked by its documented template: of parity item {number}, token {at + 1} is "
                f"{_token(ours, at)} instead of {_token(theirs, at)} ({len(ours.tokens)} tokens, {len(theirs.tokens)} "
                "expected); install the versions of the lock file"
            )
        same_shape = ours.value.shape == theirs.value.shape
        distance = float(np.linalg.norm(ours.value - theirs.value)) if same_shape else np.inf
        if not distance <= tolerance:
            raise ModelError(
                f"{model} does not give what its documented template gives in a plain forward pass: parity item "
                f"{number} differs by {distance:.3g}, at most {tolerance:g} is rounding; {fix}"
            )


def _token(outcome: Outcome, at: int) -> str:
    return str(outcome.tokens[at]) if at < len(outcome.tokens) else "missing"


def is_checked(pair: Pair) -> bool:
    """Whether a pair is one of the hundredth that is scored again: told by its content, so the same on every run."""
    digest = hashlib.sha256(pair[0].encode())
    for item in pair[1:]:
        digest.update(repr(item.text).encode())
        for frame in item.pixels.frames if item.pixels else ():
            digest.update(len(frame).to_bytes(8, "big") + frame)
    return int.from_bytes(digest.digest()[:8], "big") % CHECKED_IN == 0


def check_alone(model: str, among: Outcome, alone: Outcome, tolerance: float) -> None:
    """Raise ModelError when a pair's score depends on the pairs that it was scored with."""
    distance = abs(float(among.value[0]) - float(alone.value[0]))
    if among.tokens != alone.tokens or not distance <= tolerance:
        raise ModelError(
            f"{model} scored a pair {float(among.value[0]):.4f} among others and {float(alone.value[0]):.4f} by "
            f"itself, at most {tolerance:g} is rounding; set batch_size to 1"
        )
