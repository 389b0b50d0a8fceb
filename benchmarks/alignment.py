"""What do alignment limits let through, and what does a caption that comes with a picture change?

    python benchmarks/alignment.py FOLDER [--limit N] [--json FILE]

FOLDER holds pictures with a caption each, as for builtin_joint_space.py (for example Debian's
tuxpaint-stamps-default). The description of a picture is the class that lite2 names first; the
aligner is lite0, as in the default config. A wrong text is that of the picture half the folder on.

Limits: for each limit the share of right and of wrong captions that it rejects. Captions: how well
the cosine of a picture and its text tells right texts from wrong ones (area under the ROC curve,
0.5 is chance), for the description alone, the caption alone, the lower of their two cosines, and
the cosine of both in one text.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from builtin_joint_space import read_folder
from numpy.typing import NDArray
from scipy.stats import rankdata

from pipeline.config import Config
from pipeline.media.jpeg import decode_jpeg
from pipeline.models.builtin.classifier import ImageNetClassifier
from pipeline.models.builtin.embedder import JointSpace
from pipeline.models.calibrate import apply
from pipeline.models.protocols import Item
from pipeline.seed_pool.align import value_at

FIGURES = (0.2, 0.3, 0.4, 0.5)
PERCENTILES = (5, 10, 20, 30)


def area(right: NDArray[np.float32], wrong: NDArray[np.float32]) -> float:
    """Area under the ROC curve: the chance that a right text scores above a wrong one."""
    ranks = rankdata(np.concatenate([right, wrong]))
    return float((ranks[: len(right)].sum() - len(right) * (len(right) + 1) / 2) / (len(right) * len(wrong)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    pictures, captions = read_folder(args.folder, args.limit)
    config = Config()
    classifier, aligner = (
        ImageNetClassifier(config.vlm.model, 2),
        JointSpace(config.aligner.model, 2),
    )
    named = classifier.classify([decode_jpeg(p.frames[0]) for p in pictures]).argmax(axis=1)
    names = [classifier.classes[i].name for i in named]
    descriptions = [f"{name[:1].upper()}{name[1:]}." for name in names]
    shift = len(pictures) // 2

    def other(texts: list[str]) -> list[str]:
        return [*texts[shift:], *texts[:shift]]

    vectors = aligner.embed([Item(pixels=p) for p in pictures])

    def scores(texts: list[str]) -> NDArray[np.float32]:
        cosines = np.einsum("nd,nd->n", vectors, aligner.embed([Item(text=t) for t in texts]))
        return np.asarray(apply(config.aligner.score_map, cosines), np.float32)

    def joined(one: list[str], two: list[str]) -> NDArray[np.float32]:
        return scores([f"{a} {b}" for a, b in zip(one, two, strict=True)])

    def lower(one: list[str], two: list[str]) -> NDArray[np.float32]:
        return np.minimum(scores(one), scores(two))

    right, wrong = scores(captions), scores(other(captions))
    pool = np.concatenate([right, wrong])
    limits = [(f"min_alignment {f}", f) for f in FIGURES]
    limits += [(f"min_percentile {p}", value_at(pool, p)) for p in PERCENTILES]
    result: dict[str, Any] = {
        "pictures": len(pictures),
        "limits": {
            name: {
                "at": round(at, 3),
                "right rejected": round(float((right < at).mean()), 3),
                "wrong rejected": round(float((wrong < at).mean()), 3),
            }
            for name, at in limits
        },
        "captions": {
            "description alone": {"wrong description": area(scores(descriptions), scores(other(descriptions)))},
            "caption alone": {"wrong caption": area(right, wrong)},
            **{
                name: {
                    "wrong description": area(way(descriptions, captions), way(other(descriptions), captions)),
                    "wrong caption": area(way(descriptions, captions), way(descriptions, other(captions))),
                    "both wrong": area(way(descriptions, captions), way(other(descriptions), other(captions))),
                }
                for name, way in (("lower of the two", lower), ("both in one text", joined))
            },
        },
    }
    print(f"{len(pictures)} pictures; half of the captions right, half wrong\n")
    print("| limit | at | right captions rejected | wrong captions rejected |\n|---|---|---|---|")
    for name, row in result["limits"].items():
        print(f"| {name} | {row['at']} | {100 * row['right rejected']:.1f} % | {100 * row['wrong rejected']:.1f} % |")
    kinds = ("wrong description", "wrong caption", "both wrong")
    print(f"\n| compared | {' | '.join(kinds)} |\n|---|---|---|---|")
    for name, row in result["captions"].items():
        print(f"| {name} | {' | '.join(f'{row[k]:.3f}' if k in row else '' for k in kinds)} |")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
