"""Files become assets with cached frames; what a decoder does to one file touches no other."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.config import FrameSettings, SceneSettings
from pipeline.media.frames import FrameStore
from pipeline.seed_pool import isolation, probe, scenes
from pipeline.seed_pool.probe import probe_files
from pipeline.seed_pool.scenes import SplitSettings, showing_something, split_scenes
from tests.media.films import film, noise_scene, still_scene, textured_still
from tests.media.stills import encoded, picture
from tests.seed_pool import crashing

SCENES = SceneSettings(min_scene_s=0.5)


def store(root: Path, **settings: Any) -> FrameStore:
    return FrameStore(root / "cache", root, FrameSettings(**settings))


def rows(*names: str) -> pa.Table:
    return pa.table(
        {
            "uri": list(names),
            "media": ["video" if n.endswith("mp4") else "image" for n in names],
            "sha256": list(names),
            "duration_s": pa.array([2.0 if n.endswith("mp4") else None for n in names], pa.float64()),
        }
    )


def write(root: Path, *names: str) -> None:
    for name in names:
        data = film(noise_scene(1, 25) + noise_scene(2, 25)) if name.endswith("mp4") else encoded(picture(3), "PNG")
        (root / name).write_bytes(data)


def test_a_video_gives_its_segments_and_an_image_itself_all_with_cached_frames(tmp_path: Path) -> None:
    write(tmp_path, "a.mp4", "b.png")
    found = split_scenes(rows("a.mp4", "b.png"), SplitSettings(store(tmp_path), SCENES)).to_pylist()
    assert [(f["parent"], f["start_s"], f["end_s"], f["reject"]) for f in found] == [
        (0, 0.0, 1.0, None),
        (0, 1.0, 2.0, None),
        (1, None, None, None),
    ]
    (tmp_path / "a.mp4").unlink()  # from here on the cache alone can give frames
    for asset, medium in zip(found, ("video", "video", "image"), strict=True):
        pixels = store(tmp_path).get(asset["asset_id"], "a.mp4", medium, asset["start_s"], asset["end_s"])
        assert len(pixels.frames) == len(asset["fingerprints"])


def test_of_a_benchmark_only_segments_that_show_nothing_are_not_compared(tmp_path: Path) -> None:
    barred = [np.pad(p[:10], ((49, 49), (0, 0), (0, 0))) for p in noise_scene(8, 40)]
    films = {
        "static.mp4": textured_still(3, 40),
        "frozen.mp4": [*noise_scene(4, 15), *[noise_scene(4, 15)[-1]] * 60],
        "short.mp4": noise_scene(5, 10),
        "letterboxed.mp4": barred,
        "black.mp4": still_scene((0, 0, 0), 40),
        "single_colour.mp4": still_scene((20, 90, 160), 40),
    }
    for name, frames in films.items():
        (tmp_path / name).write_bytes(film(frames))

    def reasons(settings: SceneSettings) -> list[str | None]:
        found = split_scenes(rows(*films), SplitSettings(store(tmp_path, isolate=False), settings)).to_pylist()
        assert [f["parent"] for f in found] == list(range(len(films)))
        return [f["reject"] and f["reject"]["reason"] for f in found]

    expected = ["static", "frozen", "too_short", "letterboxed", "black", "single_colour"]
    assert reasons(SceneSettings()) == expected
    assert reasons(showing_something(SceneSettings(short_scenes="merge"))) == [None] * 4 + expected[4:]


@pytest.mark.parametrize("isolate", [True, False])
def test_decoding_apart_or_here_gives_the_same_assets(tmp_path: Path, isolate: bool) -> None:
    write(tmp_path, "a.mp4")
    here = split_scenes(rows("a.mp4"), SplitSettings(store(tmp_path, isolate=False), SCENES))
    assert split_scenes(rows("a.mp4"), SplitSettings(store(tmp_path, isolate=isolate), SCENES)).equals(here)


def test_a_file_that_crashes_or_hangs_the_decoder_is_rejected_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a.png", "crash.png", "hang.mp4", "b.png")
    write(tmp_path, *names)
    monkeypatch.setattr(scenes, "segments_of", crashing.segments_of)
    monkeypatch.setattr(isolation, "GRACE_S", 1.0)
    settings = SplitSettings(store(tmp_path, max_decode_s=3.0), SCENES)
    found = split_scenes(rows(*names), settings).to_pylist()
    assert [f["reject"] and f["reject"]["reason"] for f in found] == [None, "decoder_crashed", "decode_timeout", None]


def test_a_header_that_crashes_the_decoder_is_rejected_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.png", "crash.png")
    monkeypatch.setattr(probe, "described", crashing.described)
    found = probe_files(pa.table({"uri": ["a.png", "crash.png"]}), store(tmp_path)).to_pylist()
    assert [f["reject"] and f["reject"]["reason"] for f in found] == [None, "decoder_crashed"]
    assert (found[0]["media"], found[0]["width_px"]) == ("image", 160)
