"""Writes a small finished run in the shape of the schemas: real pictures, a real video, hostile names."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

from pipeline import schemas
from pipeline.config import Config
from pipeline.store.shards import Manifest, write_dataset, write_json

SCRIPT = "<script>alert(1)</script>.jpg"
OVERRIDE = "invoice_\u202egpj.exe.jpg"
QUOTES = "\"onload='x' {{ 7*7 }}\n&amp;.png"
CATEGORIES = (
    "Natural/animal",
    "Natural/landscape",
    "Man-made/object",
    "Man-made/architecture",
    "Artistic/illustration",
)
LANGUAGE = "en"


@dataclass
class Run:
    """Where a run is, and what was found in its media folder."""

    out: Path
    media: Path
    images: list[str] = field(default_factory=list)
    videos: list[tuple[str, list[tuple[float, float]]]] = field(default_factory=list)  # uri, segments
    config: Config = field(default_factory=Config)

    @property
    def manifest(self) -> dict[str, Any]:
        return {"fingerprint": "f", "config": self.config.model_dump(mode="json"), "media_root": str(self.media)}

    def write(self, folder: str, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
        table = pa.Table.from_pylist(rows, schema=schema)
        write_dataset(self.out / folder, table, schema, Manifest(len(rows), **self.manifest), self.out / ".work")


def draw_media(run: Run) -> None:
    """Six pictures, three of them with hostile names, and a video of three scenes."""
    run.media.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(("blue disc.jpg", "tall.png", "wide.jpg", SCRIPT, OVERRIDE, QUOTES)):
        width, height = ((320, 240), (200, 300), (400, 200))[i % 3]
        image = Image.new("RGB", (width, height), (40 * i, 200 - 30 * i, 90))
        ImageDraw.Draw(image).ellipse((60, 40, 160, 140), fill=(250, 220 - 20 * i, 40 * i))
        (run.media / name).parent.mkdir(exist_ok=True)
        image.save(run.media / name)
        run.images.append(name)
    (run.media / "clips").mkdir(exist_ok=True)
    with av.open(str(run.media / "clips/scenes.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for i in range(60):
            picture = np.full((240, 320, 3), [(200, 40, 40), (40, 160, 60), (50, 60, 200)][i // 20], np.uint8)
            picture[80:160, 4 * (i % 20) : 4 * (i % 20) + 80] = 240
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    run.videos.append(("clips/scenes.mp4", [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0)]))


def _id(prefix: str, *parts: object) -> str:
    return prefix + hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:20]


def assets(run: Run) -> list[dict[str, Any]]:
    """All assets of the pool, images first."""
    rng = random.Random(1)
    places = [(u, "image", None, None) for u in run.images]
    places += [(u, "video", s, e) for u, spans in run.videos for s, e in spans]
    rows = []
    for i, (uri, media, start, end) in enumerate(places):
        category = CATEGORIES[i % len(CATEGORIES)]
        rows.append(
            {
                "asset_id": _id("a", uri, start, end),
                "uri": uri,
                "media": media,
                "width_px": 320,
                "height_px": 240,
                "duration_s": None if start is None else 6.0,
                "fps": None if start is None else 10.0,
                "start_s": start,
                "end_s": end,
                "sha256": _id("", uri),
                "category": category,
                "category_confidence": 0.3 + 0.7 * rng.random(),
                "description": f"A plain picture for {uri} ({category.split('/')[1]}). Mostly blue and yellow.",
                "alignment": 0.2 + 0.75 * rng.betavariate(4, 4),
            }
        )
    return rows


def rejected(run: Run) -> list[dict[str, Any]]:
    """One reject of every kind: a copy, a misfit, no medium at all, a segment, a hostile name."""
    base: dict[str, Any] = {"width_px": 320, "height_px": 240, "media": "image"}
    uri, spans = run.videos[0]

    def row(uri: str, stage: str, reason: str, detail: str, **more: Any) -> dict[str, Any]:
        return {
            **base,
            "asset_id": _id("r", uri, reason),
            "uri": uri,
            "stage": stage,
            "reason": reason,
            "detail": detail,
            **more,
        }

    gone = {"media": None, "width_px": None, "height_px": None, "asset_id": None}
    return [
        row("notes/<b>readme</b>.txt", "probe", "not_media", "text, neither picture nor video", **gone),
        row("broken/empty.jpg", "probe", "empty_file", "0 bytes", **gone),
        row("broken/\\xff\\xfe name.jpg", "probe", "truncated", "JPEG: 812 of 4,096 bytes", **gone),
        row(run.images[0] + ".copy.jpg", "duplicates", "duplicate", f"same bytes as {run.images[0]}"),
        row(run.images[1], "quality", "low_resolution", "320 x 90 px, limit 160 x 160 px", asset_id=None, start_s=None),
        row("blur.jpg", "align", "misaligned", "alignment 0.112, limit 0.2", alignment=0.112),
        row("haze.jpg", "align", "misaligned", "alignment 0.184, limit 0.2", alignment=0.184),
        row(
            uri,
            "scenes",
            "too_short",
            "0.30 s, limit 0.8 s",
            media="video",
            start_s=spans[-1][1],
            end_s=spans[-1][1] + 0.3,
        ),
        row("odd.jpg", "label", "stage_error", "ValueError: <img src=x onerror=alert(2)>"),
    ]


def write_pool(run: Run, summary: bool = True) -> None:
    kept, lost = assets(run), rejected(run)
    run.write("seed_pool/rejected", lost, schemas.ASSETS_REJECTED)
    run.write("seed_pool/assets", kept, schemas.ASSETS)
    if not summary:
        return
    after: dict[str, int] = {}
    for a in kept:
        name = f"{a['media']}: {a['category']}"
        after[name] = after.get(name, 0) + 1
    n = len(kept) + len(lost)
    steps: list[tuple[str, dict[str, int], float]] = [
        ("discover", {}, 0.0),
        ("probe", {"not_media": 1, "empty_file": 1, "truncated": 1}, 0.42),
        ("quality", {"low_resolution": 1}, 0.01),
        ("scenes", {"too_short": 1}, 8.6),
        ("duplicates", {"duplicate": 1}, 0.003),
        ("measure", {}, 21.9),
        ("label", {"stage_error": 1}, 75.2),
        ("similarity", {}, 14.0),
        ("align", {"misaligned": 2}, 0.002),
        ("rebalance", {}, 0.001),
    ]
    counts = []
    for stage, reasons, seconds in steps:
        counts.append({"stage": stage, "rows_in": n, "rows_out": n, "rejected": reasons, "seconds": seconds})
        n -= sum(reasons.values())
    before = {name: 2 * k for name, k in after.items()}
    write_json(
        run.out / "seed_pool/summary.json",
        {
            "counts": counts,
            "category_before": before,
            "category_after": after,
            "kept": len(kept),
            "rejected": len(lost),
            "alignment_limits": [
                _limit("image", None, 0.2, None),
                _limit("image", "Natural/animal", 0.25, 10.0),
                _limit("video", None, 0.3, 5.0),
            ],
            "quotas": [{"media": "image", "category": "Natural/animal", "supply": 4, "quota": 3, "share": None}],
        },
    )


def _limit(media: str, category: str | None, at: float, percentile: float | None) -> dict[str, Any]:
    by = "min_alignment" if percentile is None else "min_percentile"
    return {"media": media, "category": category, "at": at, "by": by, "percentile": percentile, "assets": 7}


def _content(text: str | None = None, asset: dict[str, Any] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {"text": text, "image": None, "video": None, "start_s": None, "end_s": None}
    if asset is not None:
        content |= {asset["media"]: asset["uri"], "start_s": asset["start_s"], "end_s": asset["end_s"]}
    return content


ANSWERS = (
    "a yellow disc",
    "a white square",
    "<i>nothing</i> & more",
    "two boats on a lake",
    "a red wall",
    "blue",
    "the sea",
)
TYPES = ("Factoid Identification", "Visual Reasoning")


def write_qa(run: Run, task: str = "image_qa", media: str = "image") -> None:
    """Questions on pictures, two task types, a right and a wrong answer each."""
    pool = [a for a in assets(run) if a["media"] == media]
    queries, corpus, relevance = [], {}, []
    for i, asset in enumerate(pool):
        kind = TYPES[i % 2]
        query_id = _id("q", task, asset["asset_id"])
        shared = {"task_type": kind, "language": LANGUAGE}
        question = f"What stands in the middle of picture {i}? \u202eevil\u202c"
        queries.append({"query_id": query_id, **_content(question, asset), "asset_id": asset["asset_id"], **shared})
        for offset, label in ((0, 1), (1, 0)):
            answer = ANSWERS[(i + offset) % len(ANSWERS)]
            doc_id = _id("d", kind, answer)
            corpus[doc_id] = {"doc_id": doc_id, **_content(answer), "asset_id": None, **shared}
            relevance.append({"query_id": query_id, "doc_id": doc_id, "relevance": label, "source": "synth"})
    rejects = [{"asset_id": "a-none", "stage": "facts", "reason": "nothing_to_say", "detail": "no fact is sure"}]
    _write_task(run, task, queries, list(corpus.values()), relevance, rejects)


def write_retrieval(run: Run, task: str = "image_retrieval", media: str = "image") -> None:
    """Texts that look for pictures or segments; the corpus is all of the pool's."""
    pool = [a for a in assets(run) if a["media"] == media]
    shared = {"task_type": "Direct Visual Description", "language": LANGUAGE}
    queries, corpus, relevance = [], [], []
    for i, asset in enumerate(pool):
        query_id, doc_id = _id("q", task, asset["asset_id"]), _id("d", asset["asset_id"])
        text = f"a flat {CATEGORIES[i % 5].split('/')[1]} in bright colours, number {i}"
        queries.append({"query_id": query_id, **_content(text), "asset_id": asset["asset_id"], **shared})
        corpus.append({"doc_id": doc_id, **_content(asset=asset), "asset_id": asset["asset_id"]})
        relevance.append({"query_id": query_id, "doc_id": doc_id, "relevance": 1, "source": "synth"})
    _write_task(run, task, queries, corpus, relevance, [])


def _write_task(run: Run, task: str, queries: Any, corpus: Any, relevance: Any, rejects: Any) -> None:
    run.write(f"synth/{task}/corpus", corpus, schemas.CORPUS)
    run.write(f"synth/{task}/relevance", relevance, schemas.RELEVANCE)
    run.write(f"synth/{task}/rejected", rejects, schemas.SYNTH_REJECTED)
    run.write(f"synth/{task}/queries", queries, schemas.QUERIES)
    write_json(run.out / f"synth/{task}/dataset.json", {"task": task})


def write_mined(run: Run, task: str, summary: bool = True) -> None:
    """Keep all queries of a task but the last; the nearest negative of every third beats the positive."""
    from pipeline.store.shards import read_dataset

    rng = random.Random(task)
    folder = run.out / "synth" / task
    queries, corpus, relevance = (read_dataset(folder / n).to_pylist() for n in ("queries", "corpus", "relevance"))
    documents = {d["doc_id"]: d for d in corpus}
    content = ("text", "image", "video", "start_s", "end_s")

    def judged(doc_id: str, score: float, rank: int | None, source: str) -> dict[str, Any]:
        inner = {k: documents[doc_id][k] for k in content}
        labels = {"logit": None, "source": source, "group_id": doc_id, "content": inner}
        return {"doc_id": doc_id, "score": score, "rank": rank, **labels}

    rows = []
    for i, q in enumerate(queries[:-1]):
        right = [r["doc_id"] for r in relevance if r["query_id"] == q["query_id"] and r["relevance"] == 1]
        wrong = [r["doc_id"] for r in relevance if r["query_id"] == q["query_id"] and r["relevance"] == 0]
        mean = 0.62 + 0.3 * rng.random()
        others = [d for d in sorted(documents) if d not in right][:12]
        scores = sorted((mean * rng.betavariate(6, 2) for _ in others), reverse=True)
        if i % 3 == 0:
            scores[0] = mean + 0.05
        rows.append(
            {
                "query_id": q["query_id"],
                "instruction": "Answer the question about the picture."
                if q["image"]
                else "Find a picture that fits the text.",
                "query": {k: q[k] for k in content},
                "positives": [judged(d, mean, 2 if i % 3 == 0 else 1, "synth") for d in right],
                "negatives": [
                    judged(d, s, None if d in wrong else k + 2, "synth" if d in wrong else "mined")
                    for k, (d, s) in enumerate(zip(others, scores, strict=True))
                ],
                "positive_mean": mean,
                "in_batch_negatives": True,
                "task": task,
                "task_type": q["task_type"],
                "language": q["language"],
                "asset_id": q["asset_id"],
            }
        )
    last = {"query_id": queries[-1]["query_id"], "stage": "refine"}
    lost = [{**last, "reason": "positive_below_t_pos", "detail": "best score 0.512 at rank 3, t+ 0.6"}]
    run.write(f"mined/{task}/rejected", lost, schemas.MINE_REJECTED)
    run.write(f"mined/{task}/train", rows, schemas.TRAIN)
    if summary:
        hits = {"labelled_positive": 3, "same_source": 2, "near_duplicate": 0}
        write_json(run.out / f"mined/{task}/summary.json", {"guard_hits": hits})


def write_everything(run: Run) -> None:
    """The whole road: pool, three tasks, all of them mined."""
    write_pool(run)
    write_qa(run)
    write_retrieval(run)
    write_retrieval(run, "video_retrieval", "video")
    for task in ("image_qa", "image_retrieval", "video_retrieval"):
        write_mined(run, task)
