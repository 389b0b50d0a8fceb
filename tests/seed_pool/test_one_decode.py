"""The split of a pool: one decode a video, whoever needs its frames."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import Config, FrameSettings, SceneSettings
from pipeline.config_file import parse_config
from pipeline.media.frames import FrameStore
from pipeline.media.videos import Frame, Video
from pipeline.runners.local import LocalRunner
from pipeline.seed_pool.recipe import build_seed_pool
from pipeline.seed_pool.scenes import SplitSettings, split_scenes
from pipeline.stage import PARENT, Progress
from tests.media.films import film, noise_scene, textured_still, written

HERE = FrameSettings(isolate=False)  # decoding is counted in this process
SCENES = [*noise_scene(1, 40), *textured_still(7, 40), *noise_scene(4, 10)]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames each decode of a video went through."""
    runs: list[int] = []
    frames = Video.frames

    def counting(self: Video) -> Iterator[Frame]:
        run = len(runs)
        runs.append(0)
        for frame in frames(self):
            runs[run] += 1
            yield frame

    monkeypatch.setattr(Video, "frames", counting)
    return runs


def split(folder: Path, rows: list[dict[str, str]]) -> pa.Table:
    return split_scenes(
        pa.Table.from_pylist([{"duration_s": 4.0, **row} for row in rows]),
        SplitSettings(FrameStore(folder / "cache", folder, HERE), SceneSettings()),
    )


def test_segments_keep_their_parent_their_span_and_their_reason(tmp_path: Path) -> None:
    written(tmp_path / "a.mp4", film(SCENES))
    written(tmp_path / "b.mp4", b"")
    rows = [{"uri": u, "media": "video", "sha256": u[0] * 64} for u in ("b.mp4", "a.mp4")]
    children = split(tmp_path, rows).to_pylist()
    assert [c[PARENT] for c in children] == [0, 1, 1, 1]
    assert [c["reject"] and c["reject"]["reason"] for c in children] == ["empty_file", None, "static", "too_short"]
    assert [c["start_s"] for c in children] == pytest.approx([None, 0.0, 1.6, 3.2])
    assert len({c["asset_id"] for c in children}) == 4


def test_later_readers_get_the_frames_without_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", film(SCENES))
    children = split(tmp_path, [{"uri": "a.mp4", "media": "video", "sha256": "a" * 64}]).to_pylist()
    path.unlink()
    store = FrameStore(tmp_path / "cache", tmp_path, HERE)
    for c in children:
        assert len(store.get(c["asset_id"], "a.mp4", "video", c["start_s"], c["end_s"]).frames) >= 3


def test_files_are_split_alike_whatever_they_share_a_batch_with(tmp_path: Path) -> None:
    rows = [{"uri": f"{n}.mp4", "media": "video", "sha256": n * 64} for n in "abc"]
    for i, row in enumerate(rows):
        written(tmp_path / row["uri"], film([*noise_scene(i + 1, 30), *noise_scene(i + 5, 30)]))
    alone = [c for row in rows for c in split(tmp_path, [row]).drop_columns([PARENT]).to_pylist()]
    assert split(tmp_path, rows).drop_columns([PARENT]).to_pylist() == alone


class _Silent(Progress):
    def begin(self, stages: list[str], rows: int) -> None: ...

    def advance(self, *args: object) -> None: ...

    def end(self) -> None: ...


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size in bytes of each file that libav opens."""
    sizes: list[int] = []
    really = av.open

    def counting(file: Any, *rest: Any, **more: Any) -> Any:
        sizes.append(os.fstat(file.fileno()).st_size)
        return really(file, *rest, **more)

    monkeypatch.setattr(av, "open", counting)
    return sizes


def test_a_whole_build_decodes_each_video_once(
    tmp_path: Path, decoded: list[int], request: pytest.FixtureRequest
) -> None:
    media = tmp_path / "media"
    media.mkdir()
    lengths = {"a.mp4": len(SCENES), "b.mp4": 60}
    written(media / "a.mp4", film(SCENES))
    written(media / "b.mp4", film(noise_scene(9, 60)))
    fake = {"adapter": "fake"}
    config: Config = parse_config(
        {
            "frames": {"isolate": False},
            "vlm": fake,
            "aligner": fake,
            "embedder": fake,
            "runner": {"kind": "local"},
            "seed_pool": {
                "quality": {"min_width_px": 1, "min_height_px": 1, "min_pixels": 1},
                "label": {"min_vlm_confidence": 0.0},
                "pictures": {"max_edge_width_px": 256},
                "align": {"min_alignment": -1.0},
            },
        },
        "the test",
    )
    opened = request.getfixturevalue("opened")  # from here on: the films are made
    pool = build_seed_pool(str(media), tmp_path / "out", config, LocalRunner(config.runner), _Silent())
    assert pq.read_table(pool.folder / "assets").num_rows >= 2
    assert Counter(decoded) == Counter([1, 1, *lengths.values()]), "one frame for the header's check, and one decode"
    sizes = [(media / name).stat().st_size for name in lengths]
    assert Counter(opened) == Counter(2 * sizes), "once for all that the header says, once to decode"
