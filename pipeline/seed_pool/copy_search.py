"""Runs the search for copies: inside the pool, and between it and the media of benchmarks."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from pipeline.config import DuplicateSettings
from pipeline.media.frames import FrameStore
from pipeline.seed_pool.benchmarks import Benchmark, collections
from pipeline.seed_pool.comparing import CompareSource, comparing
from pipeline.seed_pool.duplicates import Compare, find_duplicates
from pipeline.seed_pool.exclude import Exclusion, find_contaminated
from pipeline.seed_pool.exclusion_report import Hit
from pipeline.stage import Progress, Runner, Step, numbered
from pipeline.store.resume import chunked, resumable_map

Reading = Callable[[FrameStore], Sequence[Step]]


class CopySearch:
    """reading: the stages that give a folder's files frames, hashes and looks. work: a folder for what is
    temporary. key: changes with the benchmarks and the settings."""

    def __init__(
        self,
        run: Runner,
        store: FrameStore,
        reading: Reading,
        limits: DuplicateSettings,
        work: Path,
        key: str,
        progress: Progress,
    ) -> None:
        self._run, self._store, self._reading, self._limits = run, store, reading, limits
        self._work, self._key, self._progress = work, key, progress
        self.hits: list[Hit] = []

    def duplicates(self, pool: pa.Table) -> pa.Array:
        """The `reject` column of a pool step: what is a copy of another asset."""
        return find_duplicates(pool, self._limits, self._comparer(self._store))

    def read(self, benchmark: Benchmark) -> list[Exclusion]:
        """The media of a benchmark, sampled as the pool's are."""
        name = hashlib.sha256(benchmark.name.encode()).hexdigest()[:12]
        folder = self._work / f"{name}-{self._key}"
        exclusions = []
        for number, collection in enumerate(collections(benchmark, folder / "unpacked")):
            stages = self._reading(self._of(collection.root))
            files = pa.table({"uri": pa.array(sorted(collection.items), pa.string())})
            rows = resumable_map(self._run, stages, chunked(files), folder / f"read-{number}", self._progress)
            exclusions.append(Exclusion(benchmark, collection, rows.read()))
        return exclusions

    def exclude(self, pool: pa.Table, exclusions: Sequence[Exclusion]) -> pa.Array:
        """The `reject` column of a pool step: what is a copy of a benchmark's media. Fills `hits`."""
        verdicts, self.hits = find_contaminated(
            pool, exclusions, self._limits, lambda e: self._comparer(self._of(e.collection.root))
        )
        return verdicts

    def forget(self) -> None:
        """Delete what was temporary."""
        shutil.rmtree(self._work, ignore_errors=True)

    def _of(self, root: Path) -> FrameStore:
        return replace(self._store, media_root=root)

    def _comparer(self, second: FrameStore) -> Compare:
        stage = comparing(CompareSource(self._store, second, self._limits))

        def compare(pairs: pa.Table) -> pa.Table:
            return pa.concat_tables(self._run.map([stage], numbered(pairs), self._progress))

        return compare
