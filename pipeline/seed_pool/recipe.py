"""Raw media -> seed pool: the steps of PAPER 3.2 from top to bottom."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.media.frames import FrameStore
from pipeline.media.places import root_of
from pipeline.media.remote import FETCHED, Remote
from pipeline.schemas import ASSETS, ASSETS_REJECTED
from pipeline.seed_pool.align import AlignSource, alignment
from pipeline.seed_pool.duplicates import NAME as DUPLICATES
from pipeline.seed_pool.duplicates import READS, find_duplicates
from pipeline.seed_pool.label import LabelSource, labelling
from pipeline.seed_pool.measure import PixelSource, measuring
from pipeline.seed_pool.passes import Rows, Tally
from pipeline.seed_pool.probe import probing
from pipeline.seed_pool.quality import quality
from pipeline.seed_pool.rebalance import NAME as REBALANCE
from pipeline.seed_pool.rebalance import READS as BALANCED
from pipeline.seed_pool.rebalance import rebalance
from pipeline.seed_pool.scenes import SplitSettings, scenes
from pipeline.seed_pool.sources import Source, open_source
from pipeline.seed_pool.sources.rows import tables
from pipeline.seed_pool.taxonomy import load_taxonomy
from pipeline.stage import Counts, ModelRef, Progress, Runner, Step
from pipeline.store.fingerprint import code_of, fingerprint
from pipeline.store.resume import CHUNK_ROWS, forget, resumable_map
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
    source: str, out: Path, config: Config, run: Runner, progress: Progress, overwrite: bool = False
) -> SeedPool:
    """Curate the media that `source` names into `<out>/seed_pool`.

    source: a folder, a bucket or a list (`sources.open_source`). Kept and rejected rows together are
    everything found. The same input, config and seed give the same rows; an unchanged pool is not
    built again, a killed run goes on where it stopped. Memory holds narrow columns of the pool, and
    a chunk of whole rows. Raises UsageError when `source` is missing, holds nothing, or holds `out`.
    """
    opened = open_source(source, config.seed_pool.sources, Remote(out / "cache" / FETCHED, config.frames.fetch))
    folder, work = out / "seed_pool", out / ".work"
    if opened.holds(out.resolve()):
        raise UsageError(f"output {out} lies inside the input {source}; choose another --out, or it would mine itself")
    key = _fingerprint(opened, config)
    assets, rejected = read_manifest(folder / "assets"), read_manifest(folder / "rejected")
    if assets and rejected and assets.fingerprint == rejected.fingerprint == key and not overwrite:
        return SeedPool(folder, assets.rows, rejected.rows, [], reused=True)

    shapes, meanings = work / f"structure-{key}", work / f"knowledge-{key}"
    if overwrite:
        forget(shapes)
        forget(meanings)
    store = FrameStore(out / "cache", root_of(opened.media_root), config.frames)
    tally = Tally(progress)
    shaping, knowing = structure(store, config), knowledge(store, config)
    segments = Rows(resumable_map(run, shaping, tables(opened.found(), CHUNK_ROWS), shapes, tally.watch))
    tally.mapped(shaping, segments)
    segments.step(DUPLICATES, tally, READS, lambda t: find_duplicates(t, config.seed_pool.duplicates))
    known = Rows(resumable_map(run, knowing, segments.alive(), meanings, tally.watch))
    tally.mapped(knowing, known)
    before = known.categories()
    known.step(REBALANCE, tally, BALANCED, lambda t: rebalance(t, config.seed_pool.rebalance, config.seed))

    manifest = Manifest(0, key, config.model_dump(mode="json"), opened.media_root)
    lost = write_dataset(folder / "rejected", chain(segments.dead(), known.dead()), ASSETS_REJECTED, manifest, work)
    kept = write_dataset(folder / "assets", known.alive(), ASSETS, manifest, work)
    summary = {
        "kept": kept,
        "rejected": lost,
        "counts": [asdict(c) for c in tally.counts],
        "category_before": before,
        "category_after": known.categories(),
    }
    write_json(folder / "summary.json", summary)
    forget(shapes)
    forget(meanings)
    return SeedPool(folder, kept, lost, tally.counts, reused=False)


def structure(store: FrameStore, config: Config) -> list[Step]:
    """The stages that see files: what each is, whether it is good enough, where its scenes are."""
    return [
        probing(store),
        quality(config.seed_pool.quality),
        scenes(SplitSettings(store, config.seed_pool.scenes)),
    ]


def knowledge(store: FrameStore, config: Config) -> list[Step]:
    """The stages that see assets with their frames: facts, labels, alignment."""
    pixels = PixelSource(store.media_root, store.cache, store.settings)
    label = config.seed_pool.label
    return [
        measuring(pixels, ModelRef("text_reader", config.vlm)),
        labelling(
            LabelSource(pixels, load_taxonomy(label.taxonomy), label, config.synth.facts),
            ModelRef("classifier", config.vlm),
        ),
        alignment(
            AlignSource(pixels, config.seed_pool.align, config.aligner.score_map), ModelRef("embedder", config.aligner)
        ),
    ]


def _fingerprint(source: Source, config: Config) -> str:
    """Names what a pool is made from: the media, the settings, the taxonomy, the code."""
    listing = hashlib.sha256()
    for identity in source.identities():
        listing.update(json.dumps(identity).encode())
    return fingerprint(
        files=listing.hexdigest(),
        root=source.media_root,
        config=_relevant(config),
        taxonomy=load_taxonomy(config.seed_pool.label.taxonomy).model_dump(mode="json"),
        code=code_of("pipeline.seed_pool", "pipeline.media", "pipeline.models"),
    )


def _relevant(config: Config) -> dict[str, Any]:
    parts: Any = {"seed": True, "frames": True, "seed_pool": True, "vlm": True, "aligner": True, "synth": {"facts"}}
    return config.model_dump(mode="json", include=parts)
