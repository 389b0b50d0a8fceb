"""A seed pool of pictures and cuts of one video, whose tasks a VLM may be asked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
from PIL import Image

from pipeline.config import Config, VlmSettings
from pipeline.schemas import ASSETS
from pipeline.store.shards import Manifest, write_dataset
from tests.integration.invariants import check_task, rows
from tests.integration.media import write_video
from tests.synth.samples import asset, clip

TASKS = ("image_classification", "video_classification")
# What the parser refuses: constrained decoding lets none of it happen.
NEVER = {"malformed_reply", "schema_violation", "empty_reply", "request_failed", "stage_error"}


def write_pool(folder: Path, pictures: int, clips: int) -> Path:
    """Give its `out`."""
    media, out = folder / "media", folder / "out"
    media.mkdir(parents=True)
    for i in range(pictures):
        Image.new("RGB", (96, 64), (40 * i % 256, 90, 128)).save(media / f"p{i}.png")
    write_video(media / "film.mp4", [(200, 40, 40), (40, 180, 60), (40, 60, 210)] * 2)
    made = [clip(f"c{i}", "film", i, i + 1) for i in range(clips)]
    table = pa.Table.from_pylist([*(asset(f"p{i}") for i in range(pictures)), *made], schema=ASSETS)
    manifest = Manifest(len(table), "pool", media_root=str(media))
    write_dataset(out / "seed_pool" / "assets", table, ASSETS, manifest, out / ".work")
    return out


def config(vlm: VlmSettings, kind: str = "ray") -> Config:
    """Short replies: a random model writes to the last letter that it may."""
    whole = {"synth": {"describe": "once"}, "runner": {"kind": kind, "workers": 1}}
    return Config.model_validate(whole).model_copy(update={"vlm": vlm})


def check(out: Path, vlm_calls: int) -> None:
    """Every asset ended in a query or one reject, and no reply was malformed."""
    asked = 0
    for task in TASKS:
        check_task(out, task)
        rejected = rows(out / "synth" / task / "rejected")
        assert not NEVER & {row["reason"] for row in rejected}, rejected
        queries = rows(out / "synth" / task / "queries")
        ends = Counter(row["asset_id"] for row in [*queries, *rejected])
        asked += len(ends)
        assert set(ends.values()) == {1}
    assert asked == vlm_calls
