"""Synthesised data, or anybody's -> training data: the steps of PAPER 3.3 from top to bottom."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.atomic import clear_leftovers
from pipeline.config import ENGINE_RUN_ONLY, Calibration, Config
from pipeline.errors import DataError, UsageError
from pipeline.media.places import root_of
from pipeline.mine import groups, labels
from pipeline.mine.data_set import DataSet, Subject, mined_from, subject_of
from pipeline.mine.embed import CONTENT, READS, Embedded, EmbedSource, embed
from pipeline.mine.given_vectors import GivenVectors
from pipeline.mine.inputs import Task, choose_tasks, read_task
from pipeline.mine.looks import looks
from pipeline.mine.parts import SUB_DATASET, How, documents_of, mine_parts
from pipeline.mine.rerank import PairScorer
from pipeline.mine.rounds import Round, changes, read_round, scores_by_id
from pipeline.mine.rows import Rows, in_query_order
from pipeline.mine.summary import Tally
from pipeline.schemas import ASSETS, MINE_REJECTED, RELEVANCE, TRAIN
from pipeline.stage import Counts, ModelRef, Progress, Runner
from pipeline.store.fingerprint import fingerprint
from pipeline.store.shards import Manifest, finished, write_dataset, write_json

DATASETS = ("train", "rejected")  # what a finished run always has
PROMOTED = "relevance"  # what a judge made positives, where it may
VECTORS = "vectors"  # the working folder of matrices made from given vectors


@dataclass(frozen=True)
class MineOptions:
    """What a run of mining is told beside the config.

    model_fingerprint: of the embedder that the workers load, or of `vectors`. assets: the seed pool's rows
    with `labels.ASSET_COLUMNS`, where there is a pool. media_root: replaces the manifests'. vectors: of one
    task or data set; no embedder is loaded then. reranker_fingerprint: of the reranker, where the config names one.
    previous: the `mined` folder of the round before, to compare with; every task is mined then.
    """

    model_fingerprint: str
    assets: pa.Table | None = None
    media_root: str | None = None
    overwrite: bool = False
    vectors: GivenVectors | None = None
    reranker_fingerprint: str | None = None
    previous: Path | None = None

    @property
    def anew(self) -> bool:
        """Whether tasks are mined although nothing has changed."""
        return self.overwrite or self.previous is not None


@dataclass(frozen=True)
class MinedTask:
    """What mining left behind for one task."""

    task: str
    folder: Path
    counts: Counts
    summary: dict[str, Any]  # of summary.json
    reused: bool  # nothing had changed since the last run


def mine_negatives(
    out: Path, tasks: Sequence[str], config: Config, run: Runner, progress: Progress, options: MineOptions
) -> list[MinedTask]:
    """Mine `<out>/synth/<task>` into `<out>/mined/<task>`; no tasks means all that are there.

    Every query ends in `train` or, with a reason, in `rejected`. An unchanged task is not mined
    again; a killed run goes on. Raises UsageError for an unknown task, DataError for a data set
    whose parts do not fit.
    """
    job = _Job(out, config, run, progress, options, _assets(options.assets))
    names = choose_tasks(out, list(tasks))
    if options.vectors is not None and len(names) > 1:
        raise UsageError(
            f"--embeddings holds the vectors of one task, and there are {', '.join(names)}; name one: --task"
        )
    theirs = [name for name in names if mined_from(out / "mined" / name) is not None]
    if theirs and not options.overwrite:
        raise UsageError(
            f"{out / 'mined' / theirs[0]} is the result of {mined_from(out / 'mined' / theirs[0])}; "
            "mine that under another --name, or add --overwrite to replace it"
        )
    clear_leftovers(out / ".work")
    subjects = [Subject(name, out / "synth" / name) for name in names]
    if len(names) > 1:
        _embed_together(subjects, job)
    return [_mine_task(subject, job) for subject in subjects]


def mine_data_set(
    out: Path, data_set: DataSet, config: Config, run: Runner, progress: Progress, options: MineOptions
) -> MinedTask:
    """Mine a data set from elsewhere into `<out>/mined/<its name>`, without a seed pool.

    Every query of it, and every row that might have been one, ends in `train` or `rejected`. Raises
    UsageError for what is no data set, DataError for a file that cannot be read.
    """
    clear_leftovers(out / ".work")
    subject = subject_of(out, data_set, progress, options.overwrite)
    return _mine_task(subject, _Job(out, config, run, progress, options, _assets(None)))


@dataclass(frozen=True)
class _Job:
    """What all tasks of a run share."""

    out: Path
    config: Config
    run: Runner
    progress: Progress
    options: MineOptions
    assets: pa.Table

    @cached_property
    def pool(self) -> str:
        """A hash of what the guards know of the media; costly on a large pool, so made once."""
        return _hash(self.assets)

    def task(self, subject: Subject) -> Task:
        """The data set of a subject."""
        task = read_task(subject.folder, self.options.media_root)
        return replace(task, corpus=_serving_all(task.corpus)) if subject.whole_corpus else task

    @property
    def score_map(self) -> Calibration:
        """From cosines to scores: those of given vectors are raw, unless a calibration is set."""
        embedder = self.config.embedder
        return embedder.score_map if self.options.vectors is None else embedder.calibration or Calibration()

    def key(self, task: Task, subject: Subject) -> str:
        """Names what a task is mined from."""
        run_only = {name: {"engine": dict.fromkeys(ENGINE_RUN_ONLY, True)} for name in ("embedder", "reranker")}
        named = {"seed", "frames", "mine", "embedder", "reranker"}
        settings = self.config.model_dump(mode="json", include=named, exclude=run_only)
        # Also where the config names none, so that a change of the known calibrations mines again.
        settings["score_map"] = self.score_map.model_dump(mode="json")
        model = self.options.model_fingerprint
        parts = {"task": task.fingerprint, "config": settings, "model": model, "assets": self.pool}
        optional = {"whole_corpus": subject.whole_corpus, "reranker": self.options.reranker_fingerprint}
        return fingerprint(**parts, **{name: value for name, value in optional.items() if value})

    def source(self, media_root: str | None) -> EmbedSource:
        """Where media and frames are read."""
        root = None if media_root is None else root_of(media_root)
        return EmbedSource(self.out, root, self.config.frames, self.options.model_fingerprint)

    def embed(self, contents: pa.Table, media_root: str | None) -> Embedded:
        """The vectors of what `_contents` gave."""
        source, model = self.source(media_root), ModelRef("embedder", self.config.embedder)
        return embed(contents, labels.file_hashes(contents, self.assets), source, model, self.run, self.progress)


def _embed_together(subjects: Sequence[Subject], job: _Job) -> None:
    """Fill the embedding cache for all tasks in one pass: workers start and load the model once."""
    asked: dict[str | None, list[pa.Table]] = {}
    for subject in subjects:
        task = job.task(subject)
        if job.options.anew or not finished(job.out / "mined" / subject.name, DATASETS, job.key(task, subject)):
            asked.setdefault(task.media_root, []).append(_contents(task, job.assets))
    for root, tables in asked.items():
        job.embed(pa.concat_tables(tables).combine_chunks(), root)


def _mine_task(subject: Subject, job: _Job) -> MinedTask:
    began, name = time.perf_counter(), subject.name
    task, config, options = job.task(subject), job.config, job.options
    folder, work = job.out / "mined" / name, job.out / ".work"
    key = job.key(task, subject)
    if not options.anew and (done := finished(folder, DATASETS, key)):
        return _result(folder, done.summary, reused=True)
    # Read first: it may lie where this round is written.
    before = None if options.previous is None else read_round(options.previous, name)

    queries, corpus = _embed(task, job)
    unhashed: dict[str, int] = {}
    fingerprints = labels.fingerprints(task.corpus, job.assets)
    if subject.elsewhere and config.mine.guards.near_duplicate:
        seen = looks(task.corpus, job.source(task.media_root), job.run, job.progress)
        fingerprints, unhashed = seen.fingerprints, seen.unknown
    documents = documents_of(task, corpus, fingerprints, job.assets, config.mine.guards)
    scorer, how = _scorer(task, job), How(config, job.score_map, job.run, job.progress)
    mined = mine_parts(task, documents, queries, corpus, scorer, how)
    task = mined.task
    rows, tally = Rows.of(task, documents.group, job.assets), Tally(task)
    lost = np.flatnonzero(~queries.readable)
    train, rejected = [], [rows.unreadable(lost, queries.reject[lost]), subject.rejected()]
    for part in mined.parts:
        train.append(rows.train(part))
        rejected.append(rows.rejected(part, config.mine))
        tally.add(part, config.mine.negatives)

    kept = in_query_order(train, task.queries, TRAIN)
    dropped = in_query_order(rejected, task.queries, MINE_REJECTED)
    compared = {}
    if before is not None:
        scores = scores_by_id(task, queries, corpus, how.score_map)
        compared = {"previous": changes(before, Round(kept, dropped), scores, config.mine.t_pos).as_json}
    manifest = partial(Manifest, fingerprint=key, config=config.model_dump(mode="json"), media_root=task.media_root)
    if config.mine.judge.promote:
        write_dataset(folder / PROMOTED, mined.promoted, RELEVANCE, manifest(rows=len(mined.promoted)), work)
    elif (folder / PROMOTED).exists():
        shutil.rmtree(folder / PROMOTED)
    write_dataset(folder / "rejected", dropped, MINE_REJECTED, manifest(rows=len(dropped)), work)
    write_dataset(folder / "train", kept, TRAIN, manifest(rows=len(kept)), work)
    summary = {
        **tally.summary(config.mine, kept, dropped),
        **groups.described(documents.group),
        "queries": len(kept) + len(dropped),
        "documents": len(task.corpus),
        "judged": mined.asked,
        "promoted": len(mined.promoted),
        **subject.described(unhashed),
        **compared,
        "unreadable_documents": dict(Counter(r["reason"] for r in corpus.reject if r is not None)),
        "model_fingerprint": options.model_fingerprint,
        "fingerprint": key,
        "seconds": round(time.perf_counter() - began, 3),
    }
    write_json(folder / "summary.json", summary)
    shutil.rmtree(work / VECTORS, ignore_errors=True)
    return _result(folder, summary, reused=False)


def _embed(task: Task, job: _Job) -> tuple[Embedded, Embedded]:
    """Vectors of all queries and of all documents of a task."""
    given, work = job.options.vectors, job.out / ".work" / VECTORS
    if given is not None:
        return given.of(task.queries.column("query_id"), task.corpus.column("doc_id"), work)
    both = job.embed(_contents(task, job.assets), task.media_root)
    n = len(task.queries)
    halves = (slice(None, n), slice(n, None))
    one, two = (Embedded(both.vectors[h], both.readable[h], both.reject[h]) for h in halves)
    return one, two


def _contents(task: Task, assets: pa.Table) -> pa.Table:
    """What is embedded: queries with the instruction of their task type, then documents without."""
    asked = []
    for table, instruction in ((task.queries, task.instructions), (task.corpus, None)):
        types = table.column("task_type").to_pylist()
        said = [instruction[t] if instruction else "" for t in types]
        columns = [c for c in READS if c in CONTENT or c == "asset_id"]
        asked.append(table.select(columns).append_column("instruction", pa.array(said, pa.string())))
    contents = pa.concat_tables(asked).combine_chunks()
    whole = labels.whole_assets(contents, assets) >= 0
    ids = pc.if_else(pa.array(whole), contents.column("asset_id"), pa.scalar(None, pa.string()))
    return contents.set_column(contents.column_names.index("asset_id"), "asset_id", ids)


def _scorer(task: Task, job: _Job) -> PairScorer | None:
    """Who gives logits, where a reranker is configured."""
    model, known = job.config.reranker, job.options.reranker_fingerprint
    if model is None or known is None:
        return None
    contents = _contents(task, job.assets)
    source = replace(job.source(task.media_root), model_fingerprint=known)
    hashes = labels.file_hashes(contents, job.assets)
    ref = ModelRef("reranker", model)
    return PairScorer(contents, hashes, len(task.queries), source, ref, job.run, job.progress)


def _serving_all(corpus: pa.Table) -> pa.Table:
    """The corpus as one that every sub-dataset searches."""
    for name in SUB_DATASET:
        corpus = corpus.set_column(corpus.column_names.index(name), name, pa.nulls(len(corpus), pa.string()))
    return corpus


def _assets(assets: pa.Table | None) -> pa.Table:
    """The columns that mining reads; an empty table where there is no seed pool."""
    if assets is None:
        return pa.schema([ASSETS.field(c) for c in labels.ASSET_COLUMNS]).empty_table()
    missing = [c for c in labels.ASSET_COLUMNS if c not in assets.column_names]
    if missing:
        raise DataError(f"the seed pool lacks the columns {missing}; run seed-pool build again")
    return assets.select(list(labels.ASSET_COLUMNS)).combine_chunks()


def _hash(table: pa.Table) -> str:
    digest = hashlib.sha256()
    for batch in table.to_batches(max_chunksize=8192):
        digest.update(json.dumps(batch.to_pylist(), sort_keys=True).encode())
    return digest.hexdigest()


def _result(folder: Path, summary: dict[str, Any], reused: bool) -> MinedTask:
    name, n = folder.name, summary["queries"]
    return MinedTask(
        name, folder, Counts(f"mine {name}", n, n, summary["rejected"], summary["seconds"]), summary, reused
    )
