"""What the classifier may claim: 561 concepts, each the sum of ImageNet classes people call the same.

ImageNet has 118 breeds of dog and no yak. A classifier that must choose names the nearest breed or
kind, surely and wrongly; the concept above it is right far more often (docs/builtin-models.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.models.builtin.table import rows
from pipeline.models.protocols import Vectors

SURELY_ABSENT = 0.02  # a concept this improbable is not in a picture of which another is claimed


@dataclass(frozen=True)
class Concept:
    """A name with its definition. `members` are class ids; each class has one concept.

    `rivals` exclude it, nearest in meaning first: siblings of animals and foods, sets of things
    that are not seen together; never a kind of it or what it is a kind of, nor a synonym.
    """

    name: str
    gloss: str
    hypernyms: tuple[str, ...]
    members: tuple[int, ...]
    rivals: tuple[int, ...]


CONCEPTS = tuple(
    Concept(r["name"], r["gloss"], tuple(r["hypernyms"]), tuple(r["members"]), tuple(r["rivals"]))
    for r in rows("concepts")
)
_CONCEPT_OF = np.empty(sum(len(c.members) for c in CONCEPTS), np.int64)
for _k, _concept in enumerate(CONCEPTS):
    _CONCEPT_OF[list(_concept.members)] = _k


def concept_probabilities(classes: Vectors) -> Vectors:
    """Sum probabilities over the classes of each concept: float32 [N, 1000] -> [N, 561]."""
    sums = np.zeros((classes.shape[0], len(CONCEPTS)), np.float32)
    np.add.at(sums.T, _CONCEPT_OF, classes.T)
    return sums


def confusable(concept: int, probabilities: Vectors) -> int | None:
    """The nearest rival of a concept that the picture surely does not show, or None.

    probabilities: float32 [561] of the picture that `concept` is claimed of; a rival must be less
    probable than SURELY_ABSENT.
    """
    return next((r for r in CONCEPTS[concept].rivals if float(probabilities[r]) < SURELY_ABSENT), None)
