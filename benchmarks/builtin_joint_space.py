"""How good is the builtin joint space, and how far can its labels be trusted?

    python benchmarks/builtin_joint_space.py FOLDER [--limit N] [--json FILE]

FOLDER holds pictures with a caption each: `name.png` beside `name.txt`, whose first line counts
(for example Debian's tuxpaint-stamps-default). Nothing of Seedmine was trained on them.

Retrieval: a caption should find its picture, a picture its caption. Calibration: cosines and
scores of right pairs (pictures that the classifier is at least 60 % sure of, with their captions)
and of random ones, among texts alone and between pictures with a question and an answer, by the
calibrations of the default config. Labels:
a claim counts as right when the caption holds the concept's name, a name of one of its classes, or
one of its three nearest hypernyms, so the shares are lower bounds: read the mistakes printed.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Calibration, Config, FrameSettings
from pipeline.media.frames import sample
from pipeline.media.jpeg import decode_jpeg
from pipeline.models.builtin.classes import CLASSES
from pipeline.models.builtin.classifier import ImageNetClassifier
from pipeline.models.builtin.concepts import CONCEPTS
from pipeline.models.builtin.embedder import JointSpace
from pipeline.models.calibrate import apply
from pipeline.models.protocols import Item, Pixels

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
QUESTION = "What is the main thing in this picture?"
INSTRUCTION = "Find a picture that matches the description."
SURE = 0.6


def read_folder(folder: Path, limit: int | None) -> tuple[list[Pixels], list[str]]:
    """Pictures and the first lines of their captions, in order of path."""
    pictures, captions = [], []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        text = path.with_suffix(".txt")
        if text.is_file() and (lines := text.read_text(encoding="utf-8", errors="replace").splitlines()):
            pictures.append(sample(path, "image", None, None, FrameSettings()))
            captions.append(lines[0].strip())
    return pictures[:limit], captions[:limit]


def recalls(similarity: NDArray[np.float32], same: NDArray[np.bool_]) -> dict[str, float]:
    """Share of rows with a relevant column (`same`) among the first 1 and 10."""
    best = np.where(same, similarity, -np.inf).max(axis=1)
    rank = (similarity > best[:, None]).sum(axis=1)
    return {"R@1": float((rank < 1).mean()), "R@10": float((rank < 10).mean())}


def quantiles(values: NDArray[np.float32]) -> dict[str, float]:
    return {f"p{round(100 * q)}": round(float(np.quantile(values, q)), 3) for q in QUANTILES}


def is_right(concept: int, caption: str) -> bool:
    words = f" {' '.join(re.findall(r'[a-z]+', caption.lower()))} "
    found = CONCEPTS[concept]
    names = [*found.name.split(" or "), *found.hypernyms[:3]]
    names += [n for m in found.members for n in (CLASSES[m].name, *CLASSES[m].lemmas)]
    return any(f" {n.lower()} " in words or f" {n.lower()}s " in words for n in names)


def labels(pictures: list[Pixels], captions: list[str]) -> dict[str, Any]:
    """Claims and their precision by threshold, of lite2 alone and where lite0 agrees."""
    frames = [decode_jpeg(p.frames[0]) for p in pictures]
    two, zero = (ImageNetClassifier(m).classify(frames) for m in ("lite2", "lite0"))
    claim, sure = two.argmax(axis=1), two.max(axis=1)
    agreed = np.minimum(sure, zero[np.arange(len(claim)), claim])
    right = np.array([is_right(c, t) for c, t in zip(claim, captions, strict=True)])
    rows = []
    for limit in (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9):
        row = {"probability": limit}
        for name, value in (("lite2", sure), ("lite2 and lite0", agreed)):
            kept = value >= limit
            row[f"{name}: claims"] = int(kept.sum())
            row[f"{name}: right"] = round(float(right[kept].mean()), 3) if kept.any() else float("nan")
        rows.append(row)
    order = [i for i in np.argsort(-sure) if sure[i] >= SURE and not right[i]]
    doubtful = [f"{sure[i]:.2f} {agreed[i]:.2f} {CONCEPTS[claim[i]].name} | {captions[i][:60]}" for i in order]
    return {"precision": rows, "to read": doubtful, "sure": sure}


def space(
    model: str, calibration: Calibration, pictures: list[Pixels], captions: list[str], sure: NDArray[np.float32]
) -> dict[str, Any]:
    """Retrieval and score quantiles of one joint space."""
    embedder = JointSpace(model)
    images = embedder.embed([Item(pixels=p) for p in pictures])
    texts = embedder.embed([Item(text=t) for t in captions])
    prefixed = embedder.embed([Item(text=f"{INSTRUCTION} {t}") for t in captions])
    question = embedder.embed([Item(text=QUESTION)])
    asked = images + question
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    same = np.array([[a == b for b in captions] for a in captions])
    first = np.array([captions.index(c) == i for i, c in enumerate(captions)])
    similarity = texts @ images.T
    clear = sure >= SURE
    other = ~same
    mixed, between = asked @ texts.T, texts @ texts.T
    pairs = {
        "right": np.diag(similarity)[clear],
        "right, all pictures": np.diag(similarity),
        "random": similarity[other],
        "picture with question, right answer": np.diag(mixed)[clear],
        "picture with question, random answer": mixed[other],
        "two random texts": between[other],
    }
    return {
        "text to picture": recalls(similarity[first], same[first]),
        "text with an instruction before it": recalls((prefixed @ images.T)[first], same[first]),
        "picture to text": recalls(similarity[first].T, same[first].T),
        "chance": {"R@1": 1 / len(captions), "R@10": min(1.0, 10 / len(captions))},
        "cosine": {name: quantiles(v) for name, v in pairs.items()},
        "score": {name: quantiles(apply(calibration, v)) for name, v in pairs.items()},
        "right pairs above 0.6": round(float((apply(calibration, pairs["right"]) > 0.6).mean()), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, help="only the first N pictures")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    args = parser.parse_args()
    pictures, captions = read_folder(args.folder, args.limit)
    if not pictures:
        parser.error(f"{args.folder} holds no picture with a .txt beside it")
    claims = labels(pictures, captions)
    sure = claims.pop("sure")
    result: dict[str, Any] = {"pictures": len(pictures), "clear": int((sure >= SURE).sum()), "labels": claims}
    config = Config()
    for model, calibration in (("lite2", config.embedder.score_map), ("lite0", config.aligner.score_map)):
        result[model] = space(model, calibration, pictures, captions, sure)
    print(json.dumps(result, indent=1))
    if args.json is not None:
        args.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
