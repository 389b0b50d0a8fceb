"""Raw media -> seed pool: the steps of PAPER 3.2 from top to bottom."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.media.frames import resolve
from pipeline.schemas import ASSETS, ASSETS_REJECTED
from pipeline.seed_pool.align import AlignSource, alignment
from pipeline.seed_pool.benchmarks import Benchmark, check_names, listing
from pipeline.seed_pool.copy_search import CopySearch
from pipeline.seed_pool.duplicates import NAME as DUPLICATES
from pipeline.seed_pool.exclude import NAME as EXCLUDE
from pipeline.seed_pool.exclude import report as exclusions_report
from pipeline.seed_pool.label import LabelSource, labelling
from pipeline.seed_pool.looking import ADDS as LOOKS
from pipeline.seed_pool.looking import looking
from pipeline.seed_pool.measure import PixelSource, measuring
from pipeline.seed_pool.probe import probing
from pipeline.seed_pool.quality import quality
from pipeline.seed_pool.rebalance import NAME as REBALANCE
from pipeline.seed_pool.rebalance import rebalance
from pipeline.seed_pool.scenes import SplitSettings, scenes
from pipeline.seed_pool.sources import STAGE as DISCOVER
from pipeline.seed_pool.sources import discover
from pipeline.seed_pool.taxonomy import load_taxonomy
from pipeline.stage import Counts, ModelRef, Progress, Runner, Step, Stopwatch, counts, dead, live
from pipeline.store.fingerprint import code_of, fingerprint
from pipeline.store.resume import forget, resumable_map
from pipeline.store.shards import Manifest, read_manifest, write_dataset, write_json


@dataclass(frozen=True)
class SeedPool:
    """What a build left behind."""

    folder: Path
    kept: int
    rejected: int
    counts: list[Counts]
    reused: bool  # nothing had changed since the last run


def build_seed_pool(
    source: Path,
    out: Path,
    config: Config,
    run: Runner,
    progress: Progress,
    overwrite: bool = False,
    exclude: Sequence[Benchmark] = (),
) -> SeedPool:
    """Curate the media below `source` into `<out>/seed_pool`.

    Kept and rejected rows together are everything found. The same input, config and seed give
    the same rows; an unchanged pool is not built again, a killed run goes on where it stopped.
    Near copies of the media of `exclude` are left out, and `exclusions.json` says which.
    Raises UsageError when `source` is no folder, holds nothing, or holds `out`.
    """
    root, folder, work = source.resolve(), out / "seed_pool", out / ".work"
    if out.resolve() == root or root in out.resolve().parents:
        raise UsageError(f"output {out} lies inside the input {source}; choose another --out, or it would mine itself")
    check_names(exclude)
    found = discover(root)
    code = code_of("pipeline.seed_pool", "pipeline.media", "pipeline.models.builtin")
    excluded = [(benchmark.name, listing(benchmark)) for benchmark in exclude]
    key = fingerprint(
        files=_listing(root, found), config=_relevant(config), root=str(root), code=code, exclude=excluded
    )
    assets, rejected = read_manifest(folder / "assets"), read_manifest(folder / "rejected")
    if assets and rejected and assets.fingerprint == rejected.fingerprint == key and not overwrite:
        return SeedPool(folder, assets.rows, rejected.rows, [], reused=True)

    pixels = PixelSource(root, out / "cache", config.frames)
    structure = [probing(root, config.frames), quality(config.seed_pool.quality), *_shots(pixels, config)]
    knowledge = [
        measuring(pixels, ModelRef("text_reader", config.vlm)),
        labelling(
            LabelSource(
                pixels, load_taxonomy(config.seed_pool.label.taxonomy), config.seed_pool.label, config.synth.facts
            ),
            ModelRef("classifier", config.vlm),
        ),
        alignment(
            AlignSource(pixels, config.seed_pool.align, config.aligner.score_map),
            ModelRef("embedder", config.aligner),
        ),
    ]
    tally = _Tally(found, progress)
    shapes, meanings = work / f"structure-{key}", work / f"knowledge-{key}"
    if overwrite:
        forget(shapes)
        forget(meanings)
    segments = tally.stages(structure, lambda watch: resumable_map(run, structure, found, shapes, watch))
    limits = config.seed_pool.duplicates
    search = CopySearch(run, pixels, partial(_reading, config), limits, work / "benchmarks", key, tally.watch)
    exclusions = [part for benchmark in exclude for part in search.read(benchmark)]
    clean = tally.pool(EXCLUDE, segments, lambda t: search.exclude(t, exclusions)) if exclude else segments
    unique = tally.pool(DUPLICATES, clean, search.duplicates)
    seen = live(unique).drop_columns(LOOKS.names)
    known = tally.stages(knowledge, lambda watch: resumable_map(run, knowledge, seen, meanings, watch))
    balanced = tally.pool(REBALANCE, known, lambda t: rebalance(t, config.seed_pool.rebalance, config.seed))

    kept = live(balanced)
    steps = (segments, *([clean] if exclude else []), unique, known, balanced)
    lost = pa.concat_tables([dead(t) for t in steps], promote_options="permissive")
    manifest = partial(Manifest, fingerprint=key, config=config.model_dump(mode="json"), media_root=str(root))
    write_dataset(folder / "rejected", lost, ASSETS_REJECTED, manifest(rows=len(lost)), work)
    write_dataset(folder / "assets", kept, ASSETS, manifest(rows=len(kept)), work)
    write_json(folder / "summary.json", _summary(tally, live(known), kept, lost))
    write_json(folder / "exclusions.json", exclusions_report(exclusions, search.hits))
    forget(shapes)
    forget(meanings)
    search.forget()
    return SeedPool(folder, len(kept), len(lost), tally.counts, reused=False)


class _Tally:
    """Keeps the counts of stages and pool steps as the recipe goes along."""

    def __init__(self, found: pa.Table, progress: Progress) -> None:
        self.watch = Stopwatch(progress)
        by_reason = Counter(dead(found).column("reason").to_pylist())
        self.counts = [Counts(DISCOVER, len(found), len(found), dict(sorted(by_reason.items())), 0.0)]

    def stages(self, stages: Sequence[Step], mapped: Callable[[Stopwatch], pa.Table]) -> pa.Table:
        rows = mapped(self.watch)
        not_found = pc.fill_null(pc.equal(pc.struct_field(rows.column("reject"), "stage"), DISCOVER), False)
        self.counts += counts(stages, rows.filter(pc.invert(not_found)), self.watch.seconds)
        return rows

    def pool(self, name: str, table: pa.Table, verdict: Callable[[pa.Table], pa.Array]) -> pa.Table:
        began = time.perf_counter()
        rows = live(table)
        rows = rows.set_column(rows.column_names.index("reject"), "reject", verdict(rows))
        by_reason = Counter(dead(rows).column("reason").to_pylist())
        seconds = round(time.perf_counter() - began, 3)
        self.counts.append(Counts(name, len(rows), len(rows), dict(sorted(by_reason.items())), seconds))
        return rows


def _shots(pixels: PixelSource, config: Config) -> list[Step]:
    split = SplitSettings(pixels.media_root, pixels.cache, config.frames, config.seed_pool.scenes)
    return [scenes(split), looking(pixels, config.looker)]


def _reading(config: Config, pixels: PixelSource) -> list[Step]:
    """What a benchmark's media go through: as the pool's, but of any size and shape."""
    return [probing(pixels.media_root, config.frames), *_shots(pixels, config)]


def _listing(root: Path, found: pa.Table) -> list[tuple[str, int, int]]:
    """URI, size in bytes and modification time of what can be read: what a pool was made from."""
    listing = []
    for uri in live(found).column("uri").to_pylist():
        status = resolve(root, uri).stat()
        listing.append((uri, status.st_size, status.st_mtime_ns))
    return listing


def _relevant(config: Config) -> dict[str, Any]:
    parts: Any = {
        "seed": True,
        "frames": True,
        "seed_pool": True,
        "vlm": True,
        "aligner": True,
        "looker": True,
        "synth": {"facts"},
    }
    return config.model_dump(mode="json", include=parts)


def _summary(tally: _Tally, before: pa.Table, kept: pa.Table, lost: pa.Table) -> dict[str, Any]:
    def categories(table: pa.Table) -> dict[str, int]:
        pairs = zip(table.column("media").to_pylist(), table.column("category").to_pylist(), strict=True)
        return dict(sorted(Counter(f"{media}: {category}" for media, category in pairs).items()))

    return {
        "kept": len(kept),
        "rejected": len(lost),
        "counts": [asdict(c) for c in tally.counts],
        "category_before": categories(before),
        "category_after": categories(kept),
    }
