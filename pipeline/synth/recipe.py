"""Seed pool -> D = (I, Q, C, R) for each task: annotate, check, assemble, write."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.atomic import replacing_folder
from pipeline.config import Config
from pipeline.errors import ConfigError, UsageError
from pipeline.prompts import language_name, prompt_hash
from pipeline.schemas import CORPUS, QUERIES, RELEVANCE, SYNTH_REJECTED, UNDECIDED
from pipeline.stage import Counts, ModelRef, Progress, Runner, Step, Stopwatch, counts, live
from pipeline.store.fingerprint import code_of, fingerprint
from pipeline.store.resume import chunked, forget, resumable_map
from pipeline.store.shards import Manifest, read_dataset, read_manifest, write_dataset, write_json
from pipeline.synth.annotation import Annotation
from pipeline.synth.assemble import NAME as ASSEMBLE
from pipeline.synth.assemble import Assembled, assemble
from pipeline.synth.by_facts import by_facts
from pipeline.synth.by_vlm import by_vlm, prompt
from pipeline.synth.checks import Checking, checking
from pipeline.synth.subjects import subject, subjects
from pipeline.synth.task import TaskSpec
from pipeline.synth.tasks import chosen, task

DATASETS = {
    "queries": QUERIES,
    "corpus": CORPUS,
    "relevance": RELEVANCE,
    "undecided": UNDECIDED,
    "rejected": SYNTH_REJECTED,
}


@dataclass(frozen=True)
class Synthesised:
    """What a task's synthesis left behind."""

    task: str
    folder: Path
    queries: int
    rejected: int
    counts: list[Counts]
    reused: bool  # nothing had changed since the last run


def synthesise(
    out: Path,
    tasks: Sequence[str],
    config: Config,
    run: Runner,
    progress: Progress,
    overwrite: bool = False,
    media_root: str | None = None,
) -> list[Synthesised]:
    """Write `<out>/synth/<task>` for each task, from `<out>/seed_pool`.

    tasks: names, or `all`. media_root: where the media lie now, if not where the seed pool says.
    The same pool, prompts, config and code give the same rows; an unchanged task is not made again.
    Raises UsageError on an unknown task or a missing seed pool, ConfigError on a language that
    the annotator does not write.
    """
    specs = chosen(tasks)
    _check_languages(config)
    manifest = _pool_manifest(out)
    root = media_root or manifest.media_root or "."
    assets: pa.Table | None = None
    results = []
    for spec in specs:
        key = _fingerprint(spec, config, manifest.fingerprint, root)
        known = _unchanged(out / "synth" / spec.name, key)
        if known is None or overwrite:
            assets = assets or read_dataset(out / "seed_pool" / "assets")
            known = _synthesise(spec, assets, out, config, run, progress, _Origin(key, root, overwrite))
        results.append(known)
    return results


@dataclass(frozen=True)
class _Origin:
    """What a task is made from."""

    key: str
    media_root: str
    overwrite: bool


def _synthesise(
    spec: TaskSpec, assets: pa.Table, out: Path, config: Config, run: Runner, progress: Progress, origin: _Origin
) -> Synthesised:
    work, folder = out / ".work", out / "synth" / spec.name
    annotation = Annotation(spec.name, config.synth, config.frames, out / "cache", Path(origin.media_root))
    builtin = config.vlm.adapter == "builtin"
    annotate = (
        by_facts(annotation) if builtin else by_vlm(annotation, ModelRef("vlm", config.vlm), config.vlm.batch_size)
    )
    stages: list[Step] = [annotate, checking(Checking(spec.name, config.synth))]
    finished = work / f"synth_{spec.name}-{origin.key}"
    if origin.overwrite:
        forget(finished)
    watch = Stopwatch(progress)
    asked = chunked(subjects(assets, spec, config.synth.languages))
    checked = resumable_map(run, stages, asked, finished, watch).read()
    made = counts(stages, checked, watch.seconds)

    began = time.perf_counter()
    data = assemble(spec, checked, assets, config.synth)
    examples = len(live(checked))
    made.append(Counts(ASSEMBLE, examples, examples, _reasons(data.rejected), round(time.perf_counter() - began, 3)))
    _write(spec, data, folder, work, config, origin, made)
    forget(finished)
    return Synthesised(spec.name, folder, len(data.queries), len(data.rejected), made, reused=False)


def show(out: Path, name: str, asset_id: str, config: Config) -> str:
    """The prompt that a VLM gets for an asset, in the first language. Raises UsageError."""
    spec = task(name)
    _pool_manifest(out)
    rows = subjects(read_dataset(out / "seed_pool" / "assets"), spec, config.synth.languages[:1]).to_pylist()
    for row in rows:
        if any(s["asset_id"] == asset_id for s in row["segments"]):
            return prompt(spec, subject(row), row["language"], config.synth)
    raise UsageError(f"no {spec.medium} asset {asset_id!r} in {out / 'seed_pool'}; {len(rows)} subjects serve {name}")


def _check_languages(config: Config) -> None:
    for language in config.synth.languages:
        language_name(language)
    if config.vlm.adapter == "builtin" and config.synth.languages != ("en",):
        raise ConfigError(
            f"synth.languages is {list(config.synth.languages)}, but the builtin annotator writes English only; "
            "set it to [en] or choose another vlm.adapter"
        )


def _pool_manifest(out: Path) -> Manifest:
    manifest = read_manifest(out / "seed_pool" / "assets")
    if manifest is None:
        raise UsageError(f"{out} holds no seed pool; run `seed-pool build INPUT --out {out}` first")
    return manifest


def _fingerprint(spec: TaskSpec, config: Config, pool: str, root: str) -> str:
    """Names the pool, where its media are, the prompt, this room's code and the settings."""
    return fingerprint(
        task=spec.name,
        pool=pool,
        root=root,
        prompt=prompt_hash(spec.template),
        code=code_of("pipeline.synth"),
        config=config.model_dump(mode="json", include={"synth", "frames", "vlm"}),
    )


def _unchanged(folder: Path, key: str) -> Synthesised | None:
    manifests = {name: read_manifest(folder / name) for name in DATASETS}
    if any(m is None or m.fingerprint != key for m in manifests.values()):
        return None
    rows = {name: m.rows for name, m in manifests.items() if m}
    return Synthesised(folder.name, folder, rows["queries"], rows["rejected"], [], reused=True)


def _reasons(rejected: pa.Table) -> dict[str, int]:
    """Rejects of the assembly, which are of examples; `grouped_with` is of assets that had none."""
    mine = rejected.filter(pc.equal(rejected.column("stage"), ASSEMBLE)).column("reason").to_pylist()
    return dict(sorted(Counter(r for r in mine if r != "grouped_with").items()))


def _write(
    spec: TaskSpec, data: Assembled, folder: Path, work: Path, config: Config, origin: _Origin, made: list[Counts]
) -> None:
    """Write the task's folder beside its place and put it there whole by a rename."""
    with replacing_folder(folder, work) as staging:
        for name, schema in DATASETS.items():
            table = getattr(data, name)
            manifest = Manifest(len(table), origin.key, config.model_dump(mode="json"), origin.media_root)
            write_dataset(staging / name, table, schema, manifest, work)
        description = {
            "task": spec.name,
            "instructions": spec.instructions,
            "languages": list(config.synth.languages),
            "in_batch_negatives": spec.in_batch_negatives,
        }
        write_json(staging / "dataset.json", description)
        write_json(staging / "summary.json", _summary(spec, data, made))


def _summary(spec: TaskSpec, data: Assembled, made: list[Counts]) -> dict[str, Any]:
    by_type = Counter(data.queries.column("task_type").to_pylist())
    return {
        "task": spec.name,
        "queries": len(data.queries),
        "documents": len(data.corpus),
        "rejected": len(data.rejected),
        "by_task_type": {name: by_type[name] for name in spec.task_types},
        "by_reason": dict(sorted(Counter(data.rejected.column("reason").to_pylist()).items())),
        "counts": [asdict(c) for c in made],
    }
