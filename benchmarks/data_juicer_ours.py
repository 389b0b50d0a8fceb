"""The seed pool's own stages over the same files as Data-Juicer's operators, by the plain runner in this process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from near_duplicates import RUN, SILENT
from processor import cpu_seconds

from pipeline.config import Config, FrameSettings, QualitySettings, SceneSettings
from pipeline.media.frames import FrameStore
from pipeline.seed_pool.copy_search import CopySearch
from pipeline.seed_pool.looking import looking
from pipeline.seed_pool.probe import probing
from pipeline.seed_pool.quality import quality
from pipeline.seed_pool.scenes import SplitSettings, scenes
from pipeline.stage import Step, dead, live, numbered

CONFIG = Config()
# Reads a file to its end and judges nothing but whether that can be done.
ANY_SCENE = SceneSettings(
    min_scene_s=0, min_motion=0, max_frozen_share=1, min_luma=0, min_contrast=0, max_bar_share=1, max_scene_s=86_400
)


@dataclass(frozen=True)
class OurRun:
    """kept: starts (s) of the kept segments of each file that came out (0 for a picture); rejected: reasons of each
    file of which all or a part did not."""

    kept: dict[str, list[float]]
    rejected: dict[str, set[str]]
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Ours:
    """root: the folder that holds all files. cache: a folder for sampled frames."""

    root: Path
    cache: Path

    def sizes(self, files: Mapping[str, Path], limits: QualitySettings, frames: FrameSettings) -> OurRun:
        """Resolution, aspect ratio and duration from headers."""
        store = self._store(frames)
        return self._run(files, [probing(store), quality(limits)])

    def motion(self, files: Mapping[str, Path]) -> OurRun:
        """Cuts, and what is static, frozen, black or of one colour, with a pool's own defaults."""
        store = self._store(CONFIG.frames)
        return self._run(files, [probing(store), scenes(SplitSettings(store, CONFIG.seed_pool.scenes))])

    def cuts(self, files: Mapping[str, Path]) -> OurRun:
        """The same segments, none of them judged by what it shows."""
        store = self._store(CONFIG.frames)
        shown = ANY_SCENE.model_copy(update={"min_scene_s": CONFIG.seed_pool.scenes.min_scene_s})
        return self._run(files, [probing(store), scenes(SplitSettings(store, shown))])

    def unharmed(self, files: Mapping[str, Path]) -> OurRun:
        """Which files can be read to their end."""
        store = self._store(CONFIG.frames)
        return self._run(files, [probing(store), scenes(SplitSettings(store, ANY_SCENE))])

    def duplicates(self, files: Mapping[str, Path]) -> OurRun:
        store = self._store(CONFIG.frames)
        split = scenes(SplitSettings(store, CONFIG.seed_pool.scenes))
        return self._run(files, [probing(store), split, looking(store, None)], store)

    def _store(self, frames: FrameSettings) -> FrameStore:
        """A cache of its own, so that no run finds what another has decoded."""
        return FrameStore(self.cache / f"{len(list(self.cache.glob('*'))):03d}", self.root, frames)

    def _run(self, files: Mapping[str, Path], stages: Sequence[Step], copies: FrameStore | None = None) -> OurRun:
        names = {path.relative_to(self.root).as_posix(): name for name, path in files.items()}
        wall, cpu = time.perf_counter(), cpu_seconds()
        rows = pa.concat_tables(RUN.map(stages, numbered(pa.table({"uri": list(names)})), SILENT))
        gone, alive = dead(rows).select(["uri", "reason"]).to_pylist(), live(rows)
        if copies is not None:
            work, limits = self.cache / "work", CONFIG.seed_pool.duplicates
            verdicts = CopySearch(RUN, copies, lambda _: [], limits, work, "bench", SILENT).duplicates(alive)
            same = alive.set_column(alive.column_names.index("reject"), "reject", verdicts)
            gone, alive = [*gone, *dead(same).select(["uri", "reason"]).to_pylist()], live(same)
        took = (time.perf_counter() - wall, cpu_seconds() - cpu)
        kept: dict[str, list[float]] = {}
        starts = alive.column("start_s").to_pylist() if "start_s" in alive.column_names else [None] * len(alive)
        for uri, start_s in zip(alive.column("uri").to_pylist(), starts, strict=True):
            kept.setdefault(names[uri], []).append(start_s or 0.0)
        rejected: dict[str, set[str]] = {}
        for row in gone:
            rejected.setdefault(names[row["uri"]], set()).add(row["reason"])
        return OurRun(kept, rejected, *took)
