"""The seams to models. Adapters implement these; rooms see nothing else.

A model never opens a file: it gets text and encoded frames (`Item`), so adapters are tested
without a disk and every consumer of one asset sees the same pixels (`media/frames.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Picture = NDArray[np.uint8]  # [height, width, 3], RGB


@dataclass(frozen=True)
class Pixels:
    """The sampled frames of one asset: JPEG bytes, one for an image, in time order for a video."""

    frames: tuple[bytes, ...]
    times_s: tuple[float, ...]  # from the first frame of the file; (0.0,) for an image
    video: bool


@dataclass(frozen=True)
class TextLine:
    """A line of text read in a picture."""

    text: str
    confidence: float  # 0..1
    share: float  # of the picture's area, 0..1


@dataclass(frozen=True)
class Item:
    """What a model reads: text, pixels, or both."""

    text: str | None = None
    pixels: Pixels | None = None


@dataclass(frozen=True)
class ClassInfo:
    """A class of a classifier and what a dictionary knows of it."""

    name: str
    gloss: str  # one line, lower case, without a full stop
    hypernyms: tuple[str, ...]  # names, from the direct parent to the root


class Classifier(Protocol):
    """Names what single pictures show."""

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """The classes, C of them; `class_id` in labels is an index here."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever results could: hash of weights, preprocessing and code version."""
        ...

    def classify(self, pictures: Sequence[Picture]) -> Vectors:
        """Return probabilities, float32 [N, C], rows summing to 1."""
        ...

    def confusable(self, class_id: int, probabilities: Vectors) -> int | None:
        """A sibling leaf class that a picture of `class_id` with these probabilities (float32
        [C]) surely does not show, the most similar one first; None when none is sure."""
        ...


class TextReader(Protocol):
    """Reads printed text (OCR)."""

    @property
    def fingerprint(self) -> str: ...

    def read(self, picture: Picture) -> list[TextLine]:
        """Return the lines of text in reading order."""
        ...


class Embedder(Protocol):
    """Maps text, images, videos and mixtures into one space."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever vectors could: hash of weights, dtype, prompt and pixel budget."""
        ...

    @property
    def dim(self) -> int:
        """Values of a vector."""
        ...

    def embed(self, items: Sequence[Item], instruction: str = "") -> Vectors:
        """Return float32 [N, dim], finite and L2-normalised, one row an item in order."""
        ...


class Scorer(Protocol):
    """Gives pictures and videos one or more scores."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the scores are called, S of them."""
        ...

    @property
    def fingerprint(self) -> str: ...

    def score(self, assets: Sequence[Pixels]) -> Vectors:
        """Return finite float32 [N, S], one row an asset in order."""
        ...


@dataclass(frozen=True)
class Request:
    """One question to a VLM: the rendered prompt and the pixels it speaks of (several for a
    file's segments, in time order), whose times are on the prompt's clock."""

    prompt: str
    pixels: tuple[Pixels, ...]
    asset_ids: tuple[str, ...]  # whose pixels: what is remembered of an asset can be forgotten with it
    seed: int = 0  # of sampling: another one gives another reply


@dataclass(frozen=True)
class Usage:
    """What replies cost. One that came from a cache costs no tokens."""

    requests: int = 0
    cached: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.cached + other.cached,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )


@dataclass(frozen=True)
class Reply:
    """What a VLM answered: raw text, and why it stopped.

    finish_reason: `stop`; `length` (cut off); `content_filter` (the server held it back); `garbled` (what
    came is no reply at all); `error` (this one request cannot be answered, `text` says why: it concerns no other).
    """

    text: str
    finish_reason: str
    usage: Usage = Usage(requests=1)


class Vlm(Protocol):
    """Answers prompts about pixels with JSON that follows a schema."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever replies could: model, weights where they are local, sampling."""
        ...

    def generate(self, requests: Sequence[Request], schema: dict[str, Any]) -> list[Reply]:
        """Return one reply a request, in order. `schema` is a JSON schema.

        What concerns one request is a Reply with finish_reason `error`. Raises ModelError when the
        model itself cannot go on: the run stops, and a rerun resumes.
        """
        ...


@runtime_checkable
class StreamingVlm(Vlm, Protocol):
    """A Vlm that hands over each reply when it arrives, so that a run that is killed has lost only those in flight."""

    def stream(self, requests: Sequence[Request], schema: dict[str, Any]) -> Iterator[tuple[int, Reply]]:
        """Yield (position in `requests`, its reply) as replies arrive, in any order, each position once.

        Errors as in `generate`. A request counts as in flight until its reply has been yielded: no more than the
        adapter's concurrency are at any moment. Closing the iterator drops what is in flight.
        """
        ...


class Reranker(Protocol):
    """Scores query-document pairs."""

    @property
    def fingerprint(self) -> str: ...

    def score(self, pairs: Sequence[tuple[str, Item, Item]]) -> Vectors:
        """Score (instruction, query, document) triples: float32 [N] raw logits, sigmoid gives 0..1."""
        ...
