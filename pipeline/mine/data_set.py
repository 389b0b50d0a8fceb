"""A data set from elsewhere, from its path to a folder in our own layout that can be mined."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import DataError, UsageError
from pipeline.media.urls import is_url
from pipeline.mine.datasets.layouts import Retrieval, is_own, layouts
from pipeline.mine.datasets.prepare import Wanted, prepare
from pipeline.mine.datasets.records import suffix_of
from pipeline.schemas import MINE_REJECTED
from pipeline.stage import Progress
from pipeline.store.shards import read_dataset

READ = "datasets"  # the folder of `<out>` for what was read from elsewhere
# What Qwen3-VL-Embedding is told where nobody says what relevant means.
DEFAULT_INSTRUCTION = "Represent the user's input."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class DataSet:
    """What the user says of a data set; the defaults mean what its files say.

    name: of the result's folder. instruction: of queries that bring none. columns: of pairs, by field.
    whole_corpus: each sub-data-set searches all documents, not only its own. media_root: what paths of
    media count from.
    """

    path: Path
    name: str | None = None
    instruction: str = DEFAULT_INSTRUCTION
    split: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    whole_corpus: bool = False
    media_root: str | None = None
    in_batch_negatives: bool = True

    @property
    def result(self) -> str:
        """The name of `<out>/mined/<name>`. Raises UsageError when it is no safe folder name."""
        if self.name is not None:
            if not _NAME.fullmatch(self.name):
                raise UsageError(f"--name {self.name!r} is no folder name; use letters, digits, '.', '_' and '-'")
            return self.name
        path = self.path.resolve()
        stem = path.name.removesuffix(".gz").removesuffix(suffix_of(path)) if path.is_file() else path.name
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:100]
        if not name:
            raise UsageError(f"--dataset {self.path} gives no folder name; add --name")
        return name


@dataclass(frozen=True)
class Subject:
    """What is mined: a folder in our layout, and the name of its result. `read` is the summary of what was
    read from elsewhere."""

    name: str
    folder: Path
    path: str | None = None  # what the user named, of a data set from elsewhere
    whole_corpus: bool = False
    read: Mapping[str, Any] | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether it was not synthesised here."""
        return self.path is not None

    @property
    def place(self) -> str:
        """Where the folder lies: relative to `<out>` when it was read into our layout, else absolute."""
        return str(self.folder) if self.read is None else f"{READ}/{self.name}"

    def rejected(self) -> pa.Table:
        """The queries that could not be used, in the columns MINE_REJECTED."""
        if self.read is None:
            return MINE_REJECTED.empty_table()
        table = read_dataset(self.folder / "rejected", ["part", "id", "stage", "reason", "detail"])
        table = table.filter(pc.equal(table.column("part"), "queries")).drop_columns(["part"])
        return table.rename_columns(MINE_REJECTED.names).cast(MINE_REJECTED)

    def described(self, unhashed: Mapping[str, int]) -> dict[str, Any]:
        """For summary.json: where the data set lies, rows of it that could not be used, and documents
        that were not compared by their looks."""
        if not self.elsewhere:
            return {}
        return {
            "data_set": self.place,
            "path": self.path,
            "corpus_scope": "all" if self.whole_corpus else "own",
            "malformed": {p: n for p, n in (self.read or {}).get("rejected", {}).items() if p != "queries"},
            "repeated": (self.read or {}).get("repeated", {}),
            "not_compared_by_look": dict(unhashed),
        }


def subject_of(out: Path, data_set: DataSet, progress: Progress, overwrite: bool) -> Subject:
    """Bring a data set into our layout, in `<out>/datasets/<name>`; one that has it is taken as it is.

    overwrite: the name may be that of another data set. Raises UsageError and DataError as `layouts` and
    `prepare` do.
    """
    name, path = data_set.result, data_set.path
    if (out / "synth" / name).is_dir():
        raise UsageError(f"{out / 'synth'} has a task {name!r}, whose result this would replace; add --name")
    other = mined_from(out / "mined" / name)
    if other is not None and other != str(path.resolve()) and not overwrite:
        raise UsageError(f"{out / 'mined' / name} is the result of {other}; add --name, or --overwrite to replace it")
    if is_own(path):
        for what, given in (
            ("--split", data_set.split is not None),
            ("--column", bool(data_set.columns)),
            ("--instruction", data_set.instruction != DEFAULT_INSTRUCTION),
            ("--no-in-batch-negatives", not data_set.in_batch_negatives),
        ):
            if given:
                raise UsageError(f"{path} has our own layout, which has no use for {what}; leave it out")
        return Subject(name, path.resolve(), path=str(path.resolve()), whole_corpus=data_set.whole_corpus)
    root, found = data_set.media_root, layouts(path, data_set.split)
    if data_set.columns and any(isinstance(layout, Retrieval) for layout in found.values()):
        raise UsageError(f"--column names columns of pairs; {path} has queries, corpus and judgements of its own")
    wanted = Wanted(
        name=name,
        path=path.resolve(),
        layouts=found,
        instruction=data_set.instruction,
        columns=data_set.columns,
        media_root=None if root is None or is_url(root) else Path(root),
        in_batch_negatives=data_set.in_batch_negatives,
    )
    read = prepare(wanted, out / READ / name, out / ".work", progress)
    return Subject(name, out / READ / name, path=str(path.resolve()), whole_corpus=data_set.whole_corpus, read=read)


def data_set_of(mined: Path) -> Path | None:
    """The folder in our layout that a result was mined from, where it came from elsewhere. mined:
    `<out>/mined/<name>`. Raises DataError when the result's summary is damaged."""
    told = _summary(mined).get("data_set")
    return mined.parents[1] / told if isinstance(told, str) else None


def mined_from(mined: Path) -> str | None:
    """The path that the user named for a result from elsewhere; None of any other, or where there is none."""
    told = _summary(mined).get("path")
    return told if isinstance(told, str) else None


def _summary(mined: Path) -> dict[str, Any]:
    path = mined / "summary.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}); delete {mined} and mine again") from error
