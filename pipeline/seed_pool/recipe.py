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
from pipeline.prompts import prompt_hash
from pipeline.schemas import ASSETS, ASSETS_REJECTED
from pipeline.seed_pool.align import NAME as ALIGN
from pipeline.seed_pool.align import Limit, alignment_limits, check_categories, misaligned
from pipeline.seed_pool.duplicates import NAME as DUPLICATES
from pipeline.seed_pool.duplicates import find_duplicates
from pipeline.seed_pool.label import LabelSource
from pipeline.seed_pool.label_by_classifier import by_classifier
from pipeline.seed_pool.label_by_vlm import TEMPLATE, by_vlm, nearest_category
from pipeline.seed_pool.measure import PixelSource, measuring
from pipeline.seed_pool.probe import probing
from pipeline.seed_pool.quality import quality
from pipeline.seed_pool.quotas import Quota, quotas, targets
from pipeline.seed_pool.rebalance import NAME as REBALANCE
from pipeline.seed_pool.rebalance import rebalance, supply
from pipeline.seed_pool.scenes import SplitSettings, scenes
from pipeline.seed_pool.similarity import SimilaritySource, similarity
from pipeline.seed_pool.sources import STAGE as DISCOVER
from pipeline.seed_pool.sources import discover
from pipeline.seed_pool.taxonomy import Taxonomy, load_taxonomy
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
    source: Path, out: Path, config: Config, run: Runner, progress: Progress, overwrite: bool = False
) -> SeedPool:
    """Curate the media below `source` into `<out>/seed_pool`.

    Kept and rejected rows together are everything found. The same input, config and seed give
    the same rows; an unchanged pool is not built again, a killed run goes on where it stopped.
    Raises UsageError when `source` is no folder, holds nothing, or holds `out`.
    """
    root, folder, work = source.resolve(), out / "seed_pool", out / ".work"
    if out.resolve() == root or root in out.resolve().parents:
        raise UsageError(f"output {out} lies inside the input {source}; choose another --out, or it would mine itself")
    settings = config.seed_pool
    taxonomy = load_taxonomy(settings.label.taxonomy)
    check_categories(settings.align, taxonomy)
    wanted = targets(settings.rebalance, taxonomy)
    found = discover(root)
    key = fingerprint(
        files=_listing(root, found),
        config=_relevant(config),
        taxonomy=taxonomy.model_dump(),
        prompt=prompt_hash(TEMPLATE),
        root=str(root),
        code=code_of("pipeline.seed_pool", "pipeline.media", "pipeline.models"),
    )
    assets, rejected = read_manifest(folder / "assets"), read_manifest(folder / "rejected")
    if assets and rejected and assets.fingerprint == rejected.fingerprint == key and not overwrite:
        return SeedPool(folder, assets.rows, rejected.rows, [], reused=True)

    pixels = PixelSource(root, out / "cache", config.frames)
    structure = [
        probing(root, config.frames),
        quality(settings.quality),
        scenes(SplitSettings(root, out / "cache", config.frames, settings.scenes)),
    ]
    knowledge = [
        *_annotators(pixels, taxonomy, config),
        similarity(
            SimilaritySource(pixels, config.aligner.score_map, settings.align.source_captions),
            ModelRef("embedder", config.aligner),
        ),
    ]
    tally = _Tally(found, progress)
    shapes, meanings = work / f"structure-{key}", work / f"knowledge-{key}"
    if overwrite:
        forget(shapes)
        forget(meanings)
    segments = tally.stages(structure, lambda watch: resumable_map(run, structure, found, shapes, watch))
    unique = tally.pool(DUPLICATES, segments, lambda t: find_duplicates(t, settings.duplicates))
    known = tally.stages(knowledge, lambda watch: resumable_map(run, knowledge, live(unique), meanings, watch))
    limits = alignment_limits(live(known), settings.align)
    aligned = tally.pool(ALIGN, known, lambda t: misaligned(t, limits))
    allowed = quotas(supply(live(aligned)), wanted, settings.rebalance)
    balanced = tally.pool(REBALANCE, aligned, lambda t: rebalance(t, allowed, config.seed))

    kept = live(balanced)
    lost = pa.concat_tables(
        [dead(t) for t in (segments, unique, known, aligned, balanced)], promote_options="permissive"
    )
    manifest = partial(Manifest, fingerprint=key, config=config.model_dump(mode="json"), media_root=str(root))
    write_dataset(folder / "rejected", lost, ASSETS_REJECTED, manifest(rows=len(lost)), work)
    write_dataset(folder / "assets", kept, ASSETS, manifest(rows=len(kept)), work)
    write_json(folder / "summary.json", _summary(tally, live(aligned), kept, lost, limits, allowed))
    forget(shapes)
    forget(meanings)
    return SeedPool(folder, len(kept), len(lost), tally.counts, reused=False)


def _annotators(pixels: PixelSource, taxonomy: Taxonomy, config: Config) -> list[Step]:
    """The stages that label assets. The builtin annotator speaks of measurements alone; a VLM needs none."""
    label = LabelSource(pixels, taxonomy, config.seed_pool.label, config.synth.facts)
    if config.vlm.adapter == "builtin":
        return [
            measuring(pixels, ModelRef("text_reader", config.vlm)),
            by_classifier(label, ModelRef("classifier", config.vlm)),
        ]
    asking = by_vlm(label, ModelRef("vlm", config.vlm), config.vlm.batch_size)
    outside = [nearest_category(label, ModelRef("embedder", config.aligner))]
    return [asking, *(outside if config.seed_pool.label.outside == "nearest" else [])]


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


def _listing(root: Path, found: pa.Table) -> list[tuple[str, int, int]]:
    """URI, size in bytes and modification time of what can be read: what a pool was made from."""
    listing = []
    for uri in live(found).column("uri").to_pylist():
        status = resolve(root, uri).stat()
        listing.append((uri, status.st_size, status.st_mtime_ns))
    return listing


def _relevant(config: Config) -> dict[str, Any]:
    parts: Any = {"seed": True, "frames": True, "seed_pool": True, "vlm": True, "aligner": True, "synth": {"facts"}}
    return config.model_dump(mode="json", include=parts)


def _summary(
    tally: _Tally, before: pa.Table, kept: pa.Table, lost: pa.Table, limits: list[Limit], allowed: list[Quota]
) -> dict[str, Any]:
    def categories(table: pa.Table) -> dict[str, int]:
        pairs = zip(table.column("media").to_pylist(), table.column("category").to_pylist(), strict=True)
        return dict(sorted(Counter(f"{media}: {category}" for media, category in pairs).items()))

    return {
        "kept": len(kept),
        "rejected": len(lost),
        "counts": [asdict(c) for c in tally.counts],
        "category_before": categories(before),
        "category_after": categories(kept),
        "alignment_limits": [asdict(limit) for limit in limits],
        "quotas": [asdict(quota) for quota in allowed],
    }
