"""The tasks by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from pipeline.errors import UsageError
from pipeline.synth.task import TaskSpec
from pipeline.synth.tasks.classification import IMAGE_CLASSIFICATION, VIDEO_CLASSIFICATION
from pipeline.synth.tasks.moment import MOMENT_RETRIEVAL
from pipeline.synth.tasks.qa import IMAGE_QA, VIDEO_QA
from pipeline.synth.tasks.retrieval import IMAGE_RETRIEVAL, VIDEO_RETRIEVAL

TASKS = {
    spec.name: spec
    for spec in (
        IMAGE_CLASSIFICATION,
        IMAGE_QA,
        IMAGE_RETRIEVAL,
        VIDEO_CLASSIFICATION,
        VIDEO_QA,
        VIDEO_RETRIEVAL,
        MOMENT_RETRIEVAL,
    )
}


def task(name: str) -> TaskSpec:
    """The spec of a task. Raises UsageError naming the nearest one that exists."""
    if name not in TASKS:
        nearest = difflib.get_close_matches(name, TASKS, n=1, cutoff=0.0)[0]
        raise UsageError(f"unknown task {name!r}; did you mean {nearest!r}? Tasks: {', '.join(TASKS)}, or all")
    return TASKS[name]


def chosen(names: Sequence[str]) -> list[TaskSpec]:
    """The specs that names ask for, each once, `all` being all of them. Raises UsageError."""
    wanted = [n for name in names for n in (TASKS if name == "all" else [task(name).name])]
    return [TASKS[n] for n in dict.fromkeys(wanted)]
