"""Where does `outside: nearest` put a category that the taxonomy does not have?

    python benchmarks/outside_categories.py [--json FILE]

Two sets of answers with a known place in the image tree of the shipped taxonomy. Near misses: what a
model says when it names a category in other words, listed below by hand before anything was run.
Class names: the ImageNet classes that the taxonomy's hypernyms put into a category by WordNet, a far
harder set (a tree frog is not called an animal). The embedder is the aligner of the default config.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.config import Config
from pipeline.models.builtin.classes import CLASSES
from pipeline.models.builtin.embedder import JointSpace
from pipeline.models.protocols import ClassInfo
from pipeline.seed_pool.label_by_vlm import nearest
from pipeline.seed_pool.taxonomy import assign, load_taxonomy

NEAR_MISSES = {
    "Natural/portrait": ["selfie", "headshot", "human face", "close-up of a person"],
    "Natural/landscape": ["mountain scenery", "seascape", "nature view", "sunset sky"],
    "Natural/food": ["meal", "dessert", "drinks", "fruit"],
    "Natural/plant": ["flower", "tree", "mushroom", "botanical"],
    "Natural/animal": ["pet", "bird", "wildlife", "insect"],
    "Man-made/indoor scene": ["interior", "living room", "kitchen", "office room"],
    "Man-made/object": ["product", "vehicle", "tool", "clothing"],
    "Man-made/architecture": ["building", "bridge", "city street", "skyscraper"],
    "Man-made/document": ["scanned page", "sign", "receipt", "book page"],
    "Artistic/illustration": ["cartoon", "drawing", "vector graphic", "comic"],
    "Artistic/art": ["painting", "sculpture", "fine art", "artwork"],
    "Artistic/3D render": ["CGI", "3D model", "computer-generated image", "digital render"],
    "Artistic/UI": ["screenshot", "web page", "app interface", "software window"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    config = Config()
    tree = load_taxonomy("taxonomy.yaml").of("image")
    embedder = JointSpace(config.aligner.model, 2)
    names = list(tree)
    kinds = [ClassInfo(c.name, c.gloss, c.hypernyms) for c in CLASSES]
    by_wordnet = [
        (c.name, names[i]) for c, i in zip(CLASSES, assign(kinds, list(tree.values())), strict=True) if i >= 0
    ]
    sets = {
        "near misses": [(said, right) for right, answers in NEAR_MISSES.items() for said in answers],
        "class names": by_wordnet,
    }
    result: dict[str, Any] = {}
    print("| answers | of them | in the right category | always the largest category |\n|---|---|---|---|")
    for name, pairs in sets.items():
        found = nearest([said for said, _ in pairs], tree, embedder)
        wrong = [(said, right, got) for (said, right), got in zip(pairs, found, strict=True) if got != right]
        largest = Counter(right for _, right in pairs).most_common(1)[0][1] / len(pairs)
        result[name] = {"answers": len(pairs), "right": 1 - len(wrong) / len(pairs), "largest": largest, "wrong": wrong}
        print(f"| {name} | {len(pairs)} | {100 * result[name]['right']:.1f} % | {100 * largest:.1f} % |")
    print("\nnear misses that went astray:")
    for said, right, got in result["near misses"]["wrong"]:
        print(f"  {said!r}: {got}, not {right}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
