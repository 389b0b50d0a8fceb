"""Raw media -> seed pool: the steps of PAPER 3.2 from top to bottom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from pipeline.atomic import clear_leftovers
from pipeline.config import RUN_ONLY, Config, SceneSettings
from pipeline.errors import ConfigError, UsageError
from pipeline.media.frames import FrameStore
from pipeline.media.places import root_of
from pipeline.media.remote import FETCHED, Remote
from pipeline.models.protocols import Usage
from pipeline.models.usage import total_usage
from pipeline.prompts import prompt_hash
from pipeline.schemas import ASSETS, ASSETS_REJECTED, USAGE
from pipeline.seed_pool.align import NAME as ALIGN
from pipeline.seed_pool.align import READS as ALIGNED
from pipeline.seed_pool.align import alignment_limits, check_categories, misaligned
from pipeline.seed_pool.benchmarks import Benchmark, check_names, listing
from pipeline.seed_pool.copy_search import CopySearch
from pipeline.seed_pool.cues import segment_cues
from pipeline.seed_pool.duplicates import NAME as DUPLICATES
from pipeline.seed_pool.duplicates import READS as COPIES
from pipeline.seed_pool.exclude import NAME as EXCLUDE
from pipeline.seed_pool.exclude import report as exclusions_report
from pipeline.seed_pool.exclusion_report import FILE as EXCLUSIONS
from pipeline.seed_pool.label import LabelSource
from pipeline.seed_pool.label_by_classifier import by_classifier
from pipeline.seed_pool.label_by_vlm import TEMPLATE, by_vlm, nearest_category
from pipeline.seed_pool.looking import ADDS as LOOKS
from pipeline.seed_pool.looking import looking
from pipeline.seed_pool.measure import measuring
from pipeline.seed_pool.passes import Rows, Tally
from pipeline.seed_pool.pictures import PictureSource, picture_quality
from pipeline.seed_pool.probe import EMBEDDED, probing
from pipeline.seed_pool.provenance import ProvenanceSource, problems_by_code, provenance
from pipeline.seed_pool.quality import quality
from pipeline.seed_pool.quotas import quotas, targets
from pipeline.seed_pool.rebalance import NAME as REBALANCE
from pipeline.seed_pool.rebalance import READS as BALANCED
from pipeline.seed_pool.rebalance import rebalance, supply
from pipeline.seed_pool.removed import Tombstones, files_removed, read_tombstones, segments_removed, uri_alone
from pipeline.seed_pool.scenes import SplitSettings, scenes, showing_something
from pipeline.seed_pool.score import ScoreSource, scoring
from pipeline.seed_pool.similarity import SimilaritySource, similarity
from pipeline.seed_pool.sources import Source, open_source
from pipeline.seed_pool.sources.repeats import once
from pipeline.seed_pool.sources.rows import tables
from pipeline.seed_pool.taxonomy import Taxonomy, load_taxonomy
from pipeline.stage import Counts, ModelRef, Progress, Runner, Step
from pipeline.store.fingerprint import code_of, fingerprint
from pipeline.store.resume import CHUNK_ROWS, forget, resumable_map
from pipeline.store.shards import Manifest, finished, write_dataset, write_json


@dataclass(frozen=True)
class SeedPool:
    """What a build left behind."""

    folder: Path
    kept: int
    rejected: int
    counts: list[Counts]
    reused: bool  # nothing had changed since the last run
    usage: Usage | None = None  # what the labels of a VLM have cost


def build_seed_pool(
    source: str,
    out: Path,
    config: Config,
    run: Runner,
    progress: Progress,
    models: Mapping[str, str] = MappingProxyType({}),
    overwrite: bool = False,
    exclude: Sequence[Benchmark] = (),
    meter: Callable[[pa.Table], None] | None = None,
) -> SeedPool:
    """Curate the media that `source` names into `<out>/seed_pool`.

    source: a folder, a bucket or a list (`sources.open_source`). Kept and rejected rows together are
    everything found. The same input, config and seed give the same rows; an unchanged pool is not
    built again, a killed run goes on where it stopped. Memory holds narrow columns of the pool, and
    a chunk of whole rows. models: fingerprints of the models that are not builtin, by name: other
    weights make another pool. Near copies of the media of `exclude` are left out, and
    `exclusions.json` says which. meter: sees each batch of labelled rows and may stop the build by
    raising; a rerun goes on. Raises UsageError when `source` is missing, holds nothing, or holds
    `out`, ConfigError where a model would check itself, ModelError when the network that finds cuts
    cannot be loaded.
    """
    settings = config.seed_pool
    taxonomy = load_taxonomy(settings.label.taxonomy)
    check_categories(settings.align, taxonomy)
    wanted = targets(settings.rebalance, taxonomy)
    opened = open_source(source, settings.sources, Remote(out / "cache" / FETCHED, config.frames.fetch))
    folder, work = out / "seed_pool", out / ".work"
    if opened.holds(out.resolve()):
        raise UsageError(f"output {out} lies inside the input {source}; choose another --out, or it would mine itself")
    _check_models(config)
    check_names(exclude)
    clear_leftovers(work)
    key = _fingerprint(opened, config, taxonomy, {**models, **_scene_detector(settings.scenes)}, exclude)
    if not overwrite and (done := finished(folder, ("assets", "rejected"), key)):
        return SeedPool(folder, done.rows["assets"], done.rows["rejected"], [], reused=True)

    shapes, meanings = work / f"structure-{key}", work / f"knowledge-{key}"
    if overwrite:
        forget(shapes)
        forget(meanings)
    store = FrameStore(out / "cache", root_of(opened.media_root), config.frames)
    tally = Tally(progress)
    gone = read_tombstones(folder)
    shaping, knowing = structure(store, config, gone), knowledge(store, taxonomy, config)
    found = once(gone.hidden(opened.found()))
    segments = Rows(resumable_map(run, shaping, tables(found, CHUNK_ROWS), shapes, tally.watch))
    tally.mapped(shaping, segments)
    reading = partial(_as_benchmark, config)
    search = CopySearch(run, store, reading, settings.duplicates, work / "benchmarks", key, tally.watch)
    exclusions = [part for benchmark in exclude for part in search.read(benchmark)]
    if exclude:
        segments.step(EXCLUDE, tally, COPIES, lambda t: search.exclude(t, exclusions))
    segments.step(DUPLICATES, tally, COPIES, search.duplicates)
    unique = (table.drop_columns([*LOOKS.names, EMBEDDED.name]) for table in segments.alive())
    known = Rows(resumable_map(run, knowing, unique, meanings, tally.watch, meter))
    tally.mapped(knowing, known)
    limits = alignment_limits(known.live(ALIGNED), settings.align)
    known.step(ALIGN, tally, ALIGNED, lambda t: misaligned(t, limits))
    before = known.categories()
    allowed = quotas(supply(known.live(BALANCED)), wanted, settings.rebalance)
    known.step(REBALANCE, tally, BALANCED, lambda t: rebalance(t, allowed, config.seed))

    manifest = Manifest(0, key, config.model_dump(mode="json"), opened.media_root)
    dead = uri_alone(chain(segments.dead(), known.dead()))
    lost = write_dataset(folder / "rejected", dead, ASSETS_REJECTED, manifest, work)
    kept = write_dataset(folder / "assets", known.alive(), ASSETS, manifest, work)
    used = None if config.vlm.adapter == "builtin" else _used(known)
    summary = {
        "fingerprint": key,
        "kept": kept,
        "rejected": lost,
        "counts": [asdict(c) for c in tally.counts],
        "sidecar_problems": _sidecar_problems(segments),
        "category_before": before,
        "category_after": known.categories(),
        "alignment_limits": [asdict(limit) for limit in limits],
        "quotas": [asdict(quota) for quota in allowed],
        **({} if used is None else {"usage": asdict(used)}),
    }
    write_json(folder / EXCLUSIONS, exclusions_report(exclusions, search.hits))
    write_json(folder / "summary.json", summary)
    forget(shapes)
    forget(meanings)
    search.forget()
    return SeedPool(folder, kept, lost, tally.counts, reused=False, usage=used)


def structure(store: FrameStore, config: Config, gone: Tombstones) -> list[Step]:
    """The stages that see files: what each is, what came with it, its quality, its scenes, what can be seen."""
    return [
        probing(store),
        *([files_removed(gone)] if gone else []),
        provenance(ProvenanceSource(store, config.seed_pool.sources)),
        quality(config.seed_pool.quality),
        scenes(SplitSettings(store, config.seed_pool.scenes)),
        *([segments_removed(gone, store)] if gone else []),
        segment_cues(),
        picture_quality(PictureSource(store, config.seed_pool.pictures)),
        looking(store, config.looker),
    ]


def _as_benchmark(config: Config, store: FrameStore) -> list[Step]:
    """What a benchmark's media go through: as the pool's, but of any size, shape, quality, length and motion."""
    settings = SplitSettings(store, showing_something(config.seed_pool.scenes))
    return [probing(store), scenes(settings), looking(store, config.looker)]


def knowledge(store: FrameStore, taxonomy: Taxonomy, config: Config) -> list[Step]:
    """The stages that see assets with their frames: facts, labels, similarity of pixels and text."""
    label, scorers = config.seed_pool.label, config.seed_pool.scorers
    source = SimilaritySource(store, config.aligner.score_map, config.seed_pool.align.source_captions)
    return [
        *([scoring(ScoreSource(store, scorers))] if scorers else []),
        *_annotators(LabelSource(store, taxonomy, label, config.synth.facts, config.seed), config),
        similarity(source, ModelRef("embedder", config.aligner)),
    ]


def _annotators(label: LabelSource, config: Config) -> list[Step]:
    """The stages that label assets. The builtin annotator speaks of measurements alone; a VLM needs none."""
    if config.vlm.adapter == "builtin":
        return [
            measuring(label.store, ModelRef("text_reader", config.vlm)),
            by_classifier(label, ModelRef("classifier", config.vlm)),
        ]
    vlm = config.annotator
    asking = by_vlm(label, ModelRef("vlm", vlm), vlm.batch_size)
    outside = [nearest_category(label, ModelRef("embedder", config.aligner))]
    return [asking, *(outside if config.seed_pool.label.outside == "nearest" else [])]


def _check_models(config: Config) -> None:
    """Alignment asks a second opinion. Raises ConfigError where the annotator would check itself."""
    if config.vlm.adapter == config.aligner.adapter == "builtin" and config.vlm.model == config.aligner.model:
        raise ConfigError(
            f"vlm and aligner are both the builtin {config.vlm.model!r}: a model cannot check its own labels; "
            "name another one with --set aligner.model=..."
        )


def _scene_detector(settings: SceneSettings) -> dict[str, str]:
    """The fingerprint of the network that finds cuts, where one does. Raises ModelError when it cannot be loaded."""
    if settings.detector != "transnetv2":
        return {}
    from pipeline.media.transnetv2 import load_for  # and torch, which takes seconds

    return {"scenes": load_for(settings).fingerprint}


def _sidecar_problems(segments: Rows) -> dict[str, int]:
    """Files with each problem, also those that were rejected; a file counts once, however many segments it has."""
    by_file = (
        segments.read(["uri", "sidecar_problem"])
        .group_by("uri", use_threads=False)
        .aggregate([("sidecar_problem", "first")])
    )
    return problems_by_code(by_file.column("sidecar_problem_first").to_pylist())


def _used(known: Rows) -> Usage:
    """What the labels of a VLM have cost."""
    return total_usage(known.read([USAGE.name]).column(USAGE.name))


def _fingerprint(
    source: Source, config: Config, taxonomy: Taxonomy, models: Mapping[str, str], exclude: Sequence[Benchmark]
) -> str:
    """Names what a pool is made from: media, settings, taxonomy, prompt, models, excluded benchmarks, code."""
    digest = hashlib.sha256()
    for identity in source.identities():
        digest.update(json.dumps(identity).encode())
    return fingerprint(
        files=digest.hexdigest(),
        root=source.media_root,
        config=_relevant(config),
        taxonomy=taxonomy.model_dump(mode="json"),
        prompt=prompt_hash(TEMPLATE),
        models=dict(models),
        exclude=[(benchmark.name, listing(benchmark)) for benchmark in exclude],
        code=code_of("pipeline.seed_pool", "pipeline.media", "pipeline.models"),
    )


def _relevant(config: Config) -> dict[str, Any]:
    whole = ("seed", "frames", "seed_pool", "vlm", "aligner", "looker")
    paths: dict[str, Any] = {"seed_pool": {"scenes": {"weights"}}}  # what is in them counts: `_scene_detector`
    return config.model_dump(
        mode="json", include={**dict.fromkeys(whole, True), "synth": {"facts"}}, exclude={**RUN_ONLY, **paths}
    )
