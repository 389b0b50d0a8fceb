"""Labels from a classifier: the summed probability of a category's classes, and a description of what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.media.facts import Facts
from pipeline.media.jpeg import decode_jpeg
from pipeline.models.protocols import Classifier, Vectors
from pipeline.seed_pool.describe import describe
from pipeline.seed_pool.label import ADDS, NAME, LabelSource, unsure
from pipeline.seed_pool.measure import PLACE
from pipeline.seed_pool.taxonomy import Category, assign
from pipeline.stage import ModelRef, Resources, Stage, rejects

KEPT_GUESSES = 5


def by_classifier(source: LabelSource, classifier: ModelRef) -> Stage:
    """The stage that names what a classifier sees."""
    return Stage(
        NAME, label_assets, source, (*PLACE, "facts"), ADDS, model=classifier, resources=Resources(batch_rows=8)
    )


def label_assets(table: pa.Table, source: LabelSource, classifier: Classifier) -> pa.Table:
    """Add category, confidence (0..1), description and the most probable classes.

    A video's probabilities are the mean over its sampled frames. The confidence of a category
    is the summed probability of its classes; below `min_confidence` the asset is rejected.
    """
    trees = {media: source.taxonomy.of(media) for media in ("image", "video")}
    members = {media: assign(classifier.classes, list(tree.values())) for media, tree in trees.items()}
    results: list[dict[str, Any]] = []
    for row in table.to_pylist():
        facts = Facts.from_json(row.pop("facts"))
        pictures = [decode_jpeg(frame) for frame in source.store.get(**row).frames]
        probabilities = classifier.classify(pictures).mean(axis=0)
        tree = trees[row["media"]]
        category, confidence = _category(probabilities, members[row["media"]], tree, facts)
        labels = _guesses(probabilities, classifier)
        results.append(
            {
                "category": category,
                "category_confidence": confidence,
                "description": describe(facts, labels, category, row["media"], source.facts),
                "labels": labels,
            }
        )
    limit = source.limits.min_confidence
    verdicts = [unsure(r["category"], r["category_confidence"], limit) for r in results]
    columns = {f.name: pa.array([r[f.name] for r in results], f.type) for f in ADDS}
    return pa.table({**columns, "reject": rejects(NAME, verdicts)})


def _category(probabilities: Vectors, member: Any, tree: dict[str, Category], facts: Facts) -> tuple[str, float]:
    names = list(tree)
    text_share = sum(line.share for line in facts.text)
    for name, category in tree.items():
        if category.min_text_share is not None and text_share >= category.min_text_share:
            return name, float(np.mean([line.confidence for line in facts.text]))
    mass = np.zeros(len(names))
    covered = member >= 0
    np.add.at(mass, member[covered], probabilities[covered])
    best = int(mass.argmax())
    return names[best], min(1.0, float(mass[best]))


def _guesses(probabilities: Vectors, classifier: Classifier) -> list[dict[str, Any]]:
    top = np.argsort(-probabilities, kind="stable")[:KEPT_GUESSES]
    guesses = []
    for class_id in map(int, top):
        info = classifier.classes[class_id]
        other = classifier.confusable(class_id, probabilities)
        sibling = None if other is None else classifier.classes[other]
        guesses.append(
            {
                "class_id": class_id,
                "name": info.name,
                "probability": float(probabilities[class_id]),
                "gloss": info.gloss,
                "hypernym": info.hypernyms[0],
                "confusable": sibling and sibling.name,
                "confusable_gloss": sibling and sibling.gloss,
            }
        )
    return guesses
