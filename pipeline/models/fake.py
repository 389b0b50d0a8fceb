"""Models for tests: deterministic, instant, without weights. Equal input gives equal output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pipeline.models.protocols import ClassInfo, Item, Picture, Reply, Request, TextLine, Usage, Vectors

DIM = 32
Schema = dict[str, Any]
Answer = Callable[[Request, Schema], str]

_CLASSES = (
    ClassInfo("cat", "feline mammal usually having thick soft fur", ("feline", "carnivore", "mammal", "animal")),
    ClassInfo("dog", "a member of the genus Canis", ("canine", "carnivore", "mammal", "animal")),
    ClassInfo("horse", "solid-hoofed herbivorous quadruped", ("equine", "ungulate", "mammal", "animal")),
    ClassInfo("bus", "a vehicle carrying many passengers", ("public transport", "conveyance", "artifact")),
    ClassInfo("truck", "an automotive vehicle suitable for hauling", ("motor vehicle", "vehicle", "artifact")),
    ClassInfo("pizza", "pie of bread dough with a topping", ("dish", "nutriment", "food")),
)


def _seed(*parts: bytes) -> int:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return int.from_bytes(digest.digest()[:8], "big")


def _bytes_of(item: Item) -> list[bytes]:
    frames = () if item.pixels is None else item.pixels.frames
    return [b"" if item.text is None else item.text.encode(), *frames]


class FakeEmbedder:
    """Equal items get equal unit vectors, different ones nearly orthogonal ones."""

    dim = DIM

    def __init__(self, name: str = "fake") -> None:
        self._name = name
        self.fingerprint = f"fake-embedder:{name}"

    def embed(self, items: Sequence[Item], instruction: str = "") -> Vectors:
        """Return float32 [N, 32], L2-normalised, from a hash of name, instruction and content."""
        rows = [
            np.random.default_rng(_seed(self._name.encode(), instruction.encode(), *_bytes_of(item))).normal(size=DIM)
            for item in items
        ]
        vectors = np.array(rows, np.float64).reshape(len(rows), DIM)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


class FakeClassifier:
    """Is 0.9 sure of a class that the hash of a picture picks."""

    classes = _CLASSES

    def __init__(self, name: str = "fake") -> None:
        self._name = name
        self.fingerprint = f"fake-classifier:{name}"

    def classify(self, pictures: Sequence[Picture]) -> Vectors:
        """Return probabilities, float32 [N, 6], rows summing to 1."""
        result = np.full((len(pictures), len(_CLASSES)), 0.1 / (len(_CLASSES) - 1), np.float32)
        for row, picture in zip(result, pictures, strict=True):
            row[_seed(self._name.encode(), str(picture.shape).encode(), picture.tobytes()) % len(_CLASSES)] = 0.9
        return result

    def confusable(self, class_id: int, probabilities: Vectors) -> int | None:
        """The next class in the list, unless it is likely too."""
        other = (class_id + 1) % len(_CLASSES)
        return other if float(probabilities[other]) < 0.05 else None


class FakeTextReader:
    """Reads nothing."""

    def __init__(self, name: str = "fake") -> None:
        self.fingerprint = f"fake-text-reader:{name}"

    def read(self, picture: Picture) -> list[TextLine]:  # noqa: ARG002
        """Return no lines."""
        return []


class FakeVlm:
    """Replies by `answer`, or fills the schema with words from a hash of the request."""

    def __init__(self, name: str = "fake", answer: Answer | None = None) -> None:
        self._answer = answer
        self.fingerprint = f"fake-vlm:{name}"

    def generate(self, requests: Sequence[Request], schema: Schema) -> list[Reply]:
        """Return one reply a request, in order, valid against `schema` unless `answer` is not; a word is a token."""
        return [reply for _, reply in self.stream(requests, schema)]

    def stream(self, requests: Sequence[Request], schema: Schema) -> Iterator[tuple[int, Reply]]:
        """Yield each position with its reply, in order."""
        for i, request in enumerate(requests):
            text = (self._answer or _filled_text)(request, schema)
            yield i, Reply(text, "stop", Usage(1, 0, len(request.prompt.split()), len(text.split())))


def _filled_text(request: Request, schema: Schema) -> str:
    frames = [frame for pixels in request.pixels for frame in pixels.frames]
    seed = _seed(request.prompt.encode(), *frames)
    return json.dumps(filled(schema, seed, schema.get("$defs", {})), ensure_ascii=False)


def filled(schema: Schema, seed: int, definitions: Schema, key: str = "value") -> Any:
    """A value that satisfies a JSON schema as pydantic writes them; the same for the same seed.

    Understands $ref, const, enum, anyOf, object, array, string (minLength, maxLength), integer,
    number (minimum, maximum), boolean and null.
    """
    if "$ref" in schema:
        return filled(definitions[schema["$ref"].rsplit("/", 1)[-1]], seed, definitions, key)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][seed % len(schema["enum"])]
    if "anyOf" in schema:
        return filled(schema["anyOf"][0], seed, definitions, key)
    kind = schema.get("type", "object")
    if kind == "object":
        fields: Schema = schema.get("properties", {})
        return {n: filled(s, _seed(n.encode(), str(seed).encode()), definitions, n) for n, s in fields.items()}
    if kind == "array":
        count = schema.get("minItems", 1)
        return [filled(schema["items"], seed + i, definitions, key) for i in range(count)]
    if kind == "string":
        text = f"{key.replace('_', ' ')} {seed:016x}"
        text += "x" * (schema.get("minLength", 0) - len(text))
        return text[: schema.get("maxLength", len(text))]
    if kind in ("integer", "number"):
        return _number(schema, kind, seed)
    return None if kind == "null" else seed % 2 == 0


def _number(schema: Schema, kind: str, seed: int) -> float | int:
    """One of 101 even steps from minimum to maximum where there are both; else the least value allowed, or 0."""
    if kind == "number" and "minimum" in schema and "maximum" in schema:
        return float(schema["minimum"] + (schema["maximum"] - schema["minimum"]) * (seed % 101) / 100)
    if "minimum" in schema:
        return schema["minimum"]  # type: ignore[no-any-return]
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + (1 if kind == "integer" else 0.5)  # type: ignore[no-any-return]
    return min(0, schema.get("maximum", 0))  # type: ignore[no-any-return]
