"""ImageNet's 1,000 classes with what WordNet knows of them."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.models.builtin.table import rows


@dataclass(frozen=True)
class ImageNetClass:
    """One class. `lemmas` are all its names; `hypernyms` go from the direct parent to the root."""

    class_id: int
    wnid: str
    name: str
    lemmas: tuple[str, ...]
    gloss: str
    hypernyms: tuple[str, ...]


CLASSES = tuple(
    ImageNetClass(i, r["wnid"], r["name"], tuple(r["lemmas"]), r["gloss"], tuple(r["hypernyms"]))
    for i, r in enumerate(rows("classes"))
)


def siblings(class_id: int) -> tuple[int, ...]:
    """The other classes below the nearest ancestor that has any, by id: never an ancestor, a
    descendant or a synonym, and no class that can be true beside this one. Often empty for things."""
    return tuple(rows("classes")[class_id]["siblings"])
