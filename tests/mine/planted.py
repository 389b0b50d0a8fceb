"""A small synthesised data set on disk, an embedder whose space a reader can see, and the contract as plain loops."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
from PIL import Image

from pipeline.models.protocols import Item, Vectors
from pipeline.schemas import CORPUS, QUERIES, RELEVANCE, UNDECIDED
from pipeline.store.shards import Manifest, write_dataset, write_json
from pipeline.text import normalised

Row = dict[str, Any]
INSTRUCTIONS = {"Direct": "Find the picture.", "Abstract": "Find what it tells of."}


WORDS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "pink": (1, 0.4, 0.4), "grey": (1, 1, 1)}


class Colours:
    """Pictures are their mean colour; texts are sums of colour words. Vectors are [red, green, blue]."""

    def __init__(self, fingerprint: str = "colours") -> None:
        self.fingerprint = fingerprint
        self.asked: list[tuple[str | None, str]] = []  # text and instruction of each item embedded

    def embed(self, items: Sequence[Item], instruction: str = "") -> Vectors:
        self.asked += [(item.text, instruction) for item in items]
        return np.array([self._vector(item) for item in items], np.float32)

    def _vector(self, item: Item) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        total = np.full(3, 1e-3)
        if item.pixels is not None:
            with Image.open(io.BytesIO(item.pixels.frames[0])) as picture:
                total += np.asarray(picture.convert("RGB"), np.float64).mean(axis=(0, 1)) / 255
        for word in normalised(item.text or "").split():
            total += np.array(WORDS.get(word, (0, 0, 0)), np.float64)
        return total / np.linalg.norm(total)


def paint(root: Path, **colours: tuple[int, int, int]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, colour in colours.items():
        Image.new("RGB", (200, 200), colour).save(root / f"{name}.png")


def _table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    blank = {f.name: None for f in schema}
    return pa.Table.from_pylist([{**blank, **r} for r in rows], schema=schema)


def write_task(
    out: Path,
    name: str,
    queries: Sequence[Row],
    corpus: Sequence[Row],
    relevance: Sequence[Row],
    media_root: Path | None = None,
    in_batch_negatives: bool = True,
    undecided: Sequence[Row] = (),
) -> None:
    """Write D = (I, Q, C, R) as synth does; query rows default to `Direct`, `en`."""
    folder = out / "synth" / name
    asked = [{"task_type": "Direct", "language": "en", "asset_id": "a", **q} for q in queries]
    judged = [{"source": "synth", "relevance": 1, **r} for r in relevance]
    root = None if media_root is None else str(media_root)
    stamp = str((asked, corpus, judged, undecided))
    for part, rows, schema in (
        ("queries", asked, QUERIES),
        ("corpus", corpus, CORPUS),
        ("relevance", judged, RELEVANCE),
        ("undecided", undecided, UNDECIDED),
    ):
        table = _table(rows, schema)
        write_dataset(folder / part, table, schema, Manifest(len(table), stamp, media_root=root), out / ".work")
    spec = {"task": name, "instructions": INSTRUCTIONS, "languages": ["en"], "in_batch_negatives": in_batch_negatives}
    write_json(folder / "dataset.json", spec)


def broken_promises(task: str, row: Row, positives: set[str], t_pos: float, margin: float) -> list[str]:
    """What a row of `train` must hold, in plain loops over its values."""
    broken = []
    scores = [p["score"] for p in row["positives"]]
    mean = sum(scores) / len(scores)
    good, bad = row["positives"], row["negatives"]
    if abs(mean - row["positive_mean"]) > 1e-5 or min(scores) <= t_pos:
        broken.append("positives")
    if any(n["score"] >= mean + margin for n in bad):
        broken.append("margin")
    if [n["score"] for n in bad] != sorted((n["score"] for n in bad), reverse=True):
        broken.append("order")
    ids = [n["doc_id"] for n in bad]
    if len(set(ids)) != len(ids) or set(ids) & positives or not {p["doc_id"] for p in good} <= positives:
        broken.append("ids")
    for n in bad:
        for p in good:
            a, b = n["content"], p["content"]
            if n["group_id"] == p["group_id"]:
                broken.append("group")
            if a["text"] and b["text"] and normalised(a["text"]) == normalised(b["text"]):
                broken.append("text")
            uri = a["image"] or a["video"]
            if uri and uri == (b["image"] or b["video"]):
                apart = a["start_s"] > b["end_s"] or a["end_s"] < b["start_s"] if task == "moment_retrieval" else False
                if not apart:
                    broken.append("file")
    return broken


def film(path: Path, *scenes: tuple[int, int, int]) -> None:
    """Write a video of one second a colour, 10 frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 192, 192
        for colour in scenes:
            for _ in range(10):
                picture = np.full((192, 192, 3), colour, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
