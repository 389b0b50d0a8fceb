"""Seed pool -> D = (I, Q, C, R) for each task: annotate, check, assemble, write."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.atomic import clear_leftovers, replacing_folder
from pipeline.config import RUN_ONLY, Config
from pipeline.errors import ConfigError, DataError, MediaError, UsageError
from pipeline.media.frames import FrameStore
from pipeline.media.places import root_of
from pipeline.models.protocols import Request, Usage
from pipeline.models.usage import total_usage
from pipeline.prompts import language_name, prompt_hash
from pipeline.schemas import ASSETS, CORPUS, QUERIES, RELEVANCE, SYNTH_REJECTED, UNDECIDED, USAGE
from pipeline.stage import Counts, ModelRef, Progress, Runner, Step, Stopwatch, counts, live
from pipeline.store.fingerprint import code_of, fingerprint
from pipeline.store.resume import chunked, forget, resumable_map
from pipeline.store.shards import Manifest, read_dataset, read_manifest, write_dataset, write_json
from pipeline.synth.annotation import Annotation, Guidance
from pipeline.synth.assemble import NAME as ASSEMBLE
from pipeline.synth.assemble import Assembled, assemble
from pipeline.synth.by_facts import by_facts
from pipeline.synth.by_given import by_given, given_subjects
from pipeline.synth.by_vlm import already_paid, by_vlm, request
from pipeline.synth.checks import Checking, checking
from pipeline.synth.estimate import Estimate, estimate, estimate_verifying
from pipeline.synth.guidance import load_guidance
from pipeline.synth.judging import judges_of
from pipeline.synth.measured import measuring_claims
from pipeline.synth.subjects import due, subject
from pipeline.synth.task import TaskSpec
from pipeline.synth.tasks import chosen, task
from pipeline.synth.verify import agreement, verifying

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
    usage: Usage | None = None  # what a VLM has cost in this run and those it went on from; None where none was asked


def synthesise(
    out: Path,
    tasks: Sequence[str],
    config: Config,
    run: Runner,
    progress: Progress,
    overwrite: bool = False,
    media_root: str | None = None,
    meter: Callable[[pa.Table], None] | None = None,
) -> list[Synthesised]:
    """Write `<out>/synth/<task>` for each task, from `<out>/seed_pool`.

    tasks: names, or `all`. media_root: where the media lie now, if not where the seed pool says.
    meter: sees each batch of annotated rows and may stop the run by raising; a rerun goes on.
    The same pool, prompts, config and code give the same rows; an unchanged task is not made again.
    Raises UsageError on an unknown task or a missing seed pool, ConfigError on a language that
    the annotator does not write and on files of prompts that cannot be used.
    """
    specs = chosen(tasks)
    _check_languages(config)
    guidance = load_guidance(specs, config.synth)
    manifest = _pool_manifest(out)
    clear_leftovers(out / ".work")
    root = media_root or manifest.media_root or "."
    assets: pa.Table | None = None
    results = []
    for spec in specs:
        key = _fingerprint(spec, config, guidance[spec.name], manifest.fingerprint, root)
        known = _unchanged(out / "synth" / spec.name, key)
        if known is None or overwrite:
            assets = assets or _assets(out)
            job = _Job(config, run, progress, meter)
            known = _synthesise(spec, assets, out, job, _Origin(key, root, overwrite, guidance[spec.name]))
        results.append(known)
    return results


@dataclass(frozen=True)
class _Origin:
    """What a task is made from."""

    key: str
    media_root: str
    overwrite: bool
    guidance: Guidance


@dataclass(frozen=True)
class _Made:
    """What making a task did and cost."""

    counts: list[Counts]
    usage: Usage | None  # None where no VLM was asked
    agreement: dict[str, dict[str, int]] | None  # by task type; None where nothing was verified


@dataclass(frozen=True)
class _Job:
    """How a task is made."""

    config: Config
    run: Runner
    progress: Progress
    meter: Callable[[pa.Table], None] | None


def _synthesise(spec: TaskSpec, assets: pa.Table, out: Path, job: _Job, origin: _Origin) -> Synthesised:
    config, work, folder = job.config, out / ".work", out / "synth" / spec.name
    annotation = _annotation(spec, out, config, origin.media_root, origin.guidance)
    asking = config.at_once
    vlm = asking.annotator
    annotate = (
        by_facts(annotation) if vlm.adapter == "builtin" else by_vlm(annotation, ModelRef("vlm", vlm), vlm.batch_size)
    )
    check = checking(Checking(spec.name, config.synth))
    looked = _looking(annotation, asking)
    finished = work / f"synth_{spec.name}-{origin.key}"
    given = work / f"given_{spec.name}-{origin.key}"
    if origin.overwrite:
        forget(finished)
        forget(given)
    asked = due(assets, spec, config)
    checked, made = _checked(job, [annotate, check, *looked], asked, finished)
    agreed = agreement(checked) if looked else None
    told = given_subjects(assets, spec, config.synth.languages)
    if config.synth.given and len(told):
        theirs, counted = _checked(job, [by_given(annotation), check], told, given)
        checked = pa.concat_tables([checked, theirs], promote_options="default")  # only a VLM has a `usage`
        made = [*made, *counted]

    began = time.perf_counter()
    data = assemble(spec, checked, assets, config.synth)
    examples = len(live(checked))
    made.append(Counts(ASSEMBLE, examples, examples, _reasons(data.rejected), round(time.perf_counter() - began, 3)))
    used = total_usage(checked.column(USAGE.name)) if USAGE.name in checked.column_names else None
    _write(spec, data, folder, work, config, origin, _Made(made, used, agreed))
    forget(finished)
    forget(given)
    return Synthesised(spec.name, folder, len(data.queries), len(data.rejected), made, reused=False, usage=used)


def _looking(annotation: Annotation, config: Config) -> list[Step]:
    """The stages that look at the media once more."""
    if not config.synth.verify:
        return []
    paid = config.vlm.adapter != "builtin"
    return [
        measuring_claims(annotation),
        verifying(annotation, ModelRef("vlm", config.judge), config.judge.batch_size, paid),
    ]


def _checked(job: _Job, stages: Sequence[Step], asked: pa.Table, finished: Path) -> tuple[pa.Table, list[Counts]]:
    watch = Stopwatch(job.progress)
    checked = resumable_map(job.run, stages, chunked(asked), finished, watch, job.meter).read()
    return checked, counts(stages, checked, watch.seconds)


def estimates(
    out: Path, tasks: Sequence[str], config: Config, model: str, media_root: str | None = None
) -> list[Estimate]:
    """What each task would take beyond the replies in the cache, by the seed pool and what an earlier run has cost.

    model: the VLM's fingerprint. Raises as `synthesise` does.
    """
    specs = chosen(tasks)
    _check_languages(config)
    root = media_root or _pool_manifest(out).media_root or "."
    assets, guidance = _assets(out), load_guidance(specs, config.synth)
    found = []
    for spec in specs:
        told = guidance[spec.name]
        settings = _annotation(spec, out, config, root, told)
        paid = partial(already_paid, settings=settings, model=model)
        found.append(estimate(spec, assets, config, told, _earlier(out / "synth" / spec.name), paid))
    return found


def estimates_of_verifying(out: Path, tasks: Sequence[str], config: Config) -> list[Estimate]:
    """What verifying each task would take at most; nothing where the settings do not ask for it."""
    if not config.synth.verify:
        return []
    _pool_manifest(out)
    assets = _assets(out)
    return [estimate_verifying(spec, assets, config) for spec in chosen(tasks)]


def _earlier(folder: Path) -> Usage | None:
    """What an earlier run of a task has cost."""
    path = folder / "summary.json"
    summary = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    used = None if "verify" in summary else summary.get("usage")  # a judge's replies are of another length
    return None if used is None else Usage(**used)


def sample_request(out: Path, name: str, config: Config, media_root: str | None = None) -> Request | None:
    """What a VLM would get for the first subject of a task whose media can be read; None when there is none."""
    spec, manifest = task(name), _pool_manifest(out)
    root = media_root or manifest.media_root or "."
    settings = _annotation(spec, out, config, root, load_guidance([spec], config.synth)[name])
    store = FrameStore(settings.cache, settings.media_root, settings.frames)
    for row in due(_assets(out), spec, config).to_pylist():
        try:
            return request(spec, subject(row), row["language"], settings, store)
        except MediaError:
            continue  # the run will reject it and say why
    return None


def show(out: Path, name: str, asset_id: str, config: Config, media_root: str | None = None) -> str:
    """The prompt that a VLM gets for an asset, in the first language.

    Raises UsageError on an unknown task or asset, and when the frames that it speaks of cannot be read.
    """
    spec = task(name)
    root = media_root or _pool_manifest(out).media_root or "."
    annotation = _annotation(spec, out, config, root, load_guidance([spec], config.synth)[name])
    store = FrameStore(annotation.cache, annotation.media_root, annotation.frames)
    rows = due(_assets(out), spec, config).to_pylist()
    for row in rows:
        if any(s["asset_id"] == asset_id for s in row["segments"]):
            try:
                return request(spec, subject(row), row["language"], annotation, store).prompt
            except MediaError as error:
                raise UsageError(f"{row['uri']}: {error}; --media-root says where the media lie now") from error
    raise UsageError(f"no {spec.medium} asset {asset_id!r} in {out / 'seed_pool'}; {len(rows)} subjects serve {name}")


def _annotation(spec: TaskSpec, out: Path, config: Config, media_root: str, guidance: Guidance) -> Annotation:
    root = root_of(media_root)
    return Annotation(spec.name, config.synth, config.frames, out / "cache", root, config.seed, guidance)


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


def _assets(out: Path) -> pa.Table:
    folder = out / "seed_pool" / "assets"
    assets = read_dataset(folder)
    missing = sorted(set(ASSETS.names) - set(assets.column_names))
    if missing:
        raise DataError(f"{folder} lacks the columns {missing}: another version built it; run seed-pool build again")
    return assets


def _fingerprint(spec: TaskSpec, config: Config, guidance: Guidance, pool: str, root: str) -> str:
    """Names the pool, where its media are, the prompt with what files add to it, this room's code and the settings."""
    # The pool decided which media there are; how they are fetched changes none of its rows.
    ignored = {**RUN_ONLY, "frames": {"fetch"}}
    named = {"seed", "synth", "frames", "vlm", "verifier"}
    settings = config.model_dump(mode="json", include=named, exclude=ignored)
    judged = [judge.template for judge in judges_of(spec)] if config.synth.verify else []
    return fingerprint(
        task=spec.name,
        pool=pool,
        root=root,
        prompt=[prompt_hash(name) for name in [spec.template, *judged]],
        guidance=asdict(guidance),
        code=code_of("pipeline.synth"),
        config=settings,
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
    spec: TaskSpec, data: Assembled, folder: Path, work: Path, config: Config, origin: _Origin, made: _Made
) -> None:
    """Write the task's folder beside its place and put it there whole by a rename."""
    with replacing_folder(folder, work) as staging:
        for name, schema in DATASETS.items():
            table = getattr(data, name)
            manifest = Manifest(len(table), origin.key, config.model_dump(mode="json"), origin.media_root)
            write_dataset(staging / name, table, schema, manifest, work)
        columns = (data.queries.column(name).to_pylist() for name in ("task_type", "language"))
        types, languages = (sorted(set(column)) for column in columns)
        description = {
            "task": spec.name,
            "instructions": {name: kind.instruction for name, kind in spec.types_of(types).items()},
            "languages": list(dict.fromkeys([*config.synth.languages, *languages])),
            "in_batch_negatives": spec.in_batch_negatives,
        }
        write_json(staging / "dataset.json", description)
        write_json(staging / "summary.json", _summary(spec, data, made))


def _summary(spec: TaskSpec, data: Assembled, made: _Made) -> dict[str, Any]:
    by_type = Counter(data.queries.column("task_type").to_pylist())
    return {
        "task": spec.name,
        "queries": len(data.queries),
        "documents": len(data.corpus),
        "rejected": len(data.rejected),
        "by_task_type": {name: by_type[name] for name in spec.types_of(by_type)},
        "by_reason": dict(sorted(Counter(data.rejected.column("reason").to_pylist()).items())),
        "counts": [asdict(c) for c in made.counts],
        **({} if made.agreement is None else {"verify": made.agreement}),
        **({} if made.usage is None else {"usage": asdict(made.usage)}),
    }
