"""What lies at a path: files of pairs, a corpus with queries and judgements, our own layout, or several of these."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DataError, UsageError
from pipeline.media.names import written
from pipeline.mine.datasets.records import TABLE_SUFFIXES, TEXT_SUFFIXES, SourceFile, suffix_of

SUFFIXES = (*TEXT_SUFFIXES, *TABLE_SUFFIXES)
QRELS = ("qrels", "default", "relevance")  # what people call the judgements; `default` is MTEB's
SPLITS = frozenset({"train", "training", "dev", "development", "validation", "valid", "val", "test", "eval"})
_SHARD = re.compile(r"[-_.]?\d[\d-]*(of-\d+)?(-[0-9a-f]{6,})?$|-of-\d+.*$")
KNOWN = (
    "a folder with dataset.json (our own layout); with corpus, queries and qrels (BEIR, MTEB); of a saved Hugging Face "
    f"dataset; with files of pairs ({', '.join(SUFFIXES)}, also gzipped); or a folder of such folders"
)


@dataclass(frozen=True)
class Retrieval:
    """Queries, documents and judgements of pairs of them, each in files of their own."""

    queries: tuple[SourceFile, ...]
    corpus: tuple[SourceFile, ...]
    qrels: tuple[SourceFile, ...]

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """All that is read."""
        return (*self.queries, *self.corpus, *self.qrels)


@dataclass(frozen=True)
class Pairs:
    """Rows of a query with its positives, and perhaps negatives."""

    files: tuple[SourceFile, ...]


Layout = Retrieval | Pairs


def is_own(path: Path) -> bool:
    """Whether a folder has our own layout, as `synth run` writes it."""
    return (path / "dataset.json").is_file() and (path / "relevance").is_dir()


def layouts(path: Path, split: str | None) -> dict[str, Layout]:
    """The data sets at `path` by name; one alone has the name "".

    split: which part to take where there are several; none means the only one, else `train`.
    Raises UsageError when nothing that can be read lies there, or the split is not there.
    """
    if not path.exists():
        raise UsageError(f"--dataset {path} does not exist; name {KNOWN}")
    if path.is_file():
        if split is not None:
            raise UsageError(f"--split {split} chooses among the files of a folder; {path} is one file")
        if suffix_of(path) not in SUFFIXES:
            raise UsageError(f"--dataset {path} ends in {path.suffix!r}; name {KNOWN}")
        return {"": Pairs((SourceFile(path, written(path.name)),))}
    found = _layouts(path, path, split)
    if not found:
        folders = {p.name: p for p in _folders(path)}
        if folders.keys() <= SPLITS:
            chosen = _chosen(sorted(folders), path, split)
            folders = {n: p for n, p in folders.items() if n in chosen}
            split = None
        inner = {name: _layouts(p, path, split) for name, p in folders.items()}
        found = {written(name): f[""] for name, f in inner.items() if "" in f}
        if len(found) == 1:
            found = {"": next(iter(found.values()))}
        nested = next((name for name, f in inner.items() if f and "" not in f), None)
        if nested is not None:
            raise UsageError(f"{path / nested} holds several data sets; mine it by itself: --dataset {path / nested}")
    if not found:
        raise UsageError(f"--dataset {path} holds no data set; name {KNOWN}")
    return found


def _layouts(folder: Path, root: Path, split: str | None) -> dict[str, Layout]:
    """Those of one folder, without those of its sub-folders."""
    queries, corpus = _part(folder, "queries"), _part(folder, "corpus")
    if queries and corpus:
        qrels = next((files for name in QRELS if (files := _part(folder, name))), [])
        if not qrels:
            raise UsageError(f"{folder} has queries and a corpus, but no judgements; add {folder / 'qrels'}")
        chosen = _of_split(qrels, folder, split)
        return {"": Retrieval(*(_sources(files, root) for files in (queries, corpus, chosen)))}
    if queries or corpus:
        there, missing = ("queries", "corpus") if queries else ("corpus", "queries")
        raise UsageError(f"{folder} has {there}, but no {missing}; add {folder / missing} (.jsonl or a folder)")
    files = _saved(folder)
    if files:
        return {"": Pairs(_sources(_of_split(files, folder, split), root))}
    files = _record_files(folder)
    groups = {_group(f, folder) for f in files}
    if len(groups) > 1 and not groups <= SPLITS and split is None:
        return {g: Pairs(_sources([f for f in files if _group(f, folder) == g], root)) for g in sorted(groups)}
    return {"": Pairs(_sources(_of_split(files, folder, split), root))} if files else {}


def _part(folder: Path, name: str) -> list[Path]:
    """The files of a part: `name.jsonl`, `name-00000.parquet`, or what lies in the folder `name`."""
    inner = folder / name
    if inner.is_dir():
        return _saved(inner) or _record_files(inner) or [f for sub in _folders(inner) for f in _record_files(sub)]
    return [f for f in _record_files(folder) if _group(f, folder) == name]


def _saved(folder: Path) -> list[Path]:
    """The Arrow files of what `datasets` wrote with `save_to_disk`: of a Dataset, or of all splits of a DatasetDict."""
    if (folder / "state.json").is_file():
        return _listed(folder)
    if not (folder / "dataset_dict.json").is_file():
        return []
    return [f for sub in _folders(folder) if (sub / "state.json").is_file() for f in _listed(sub)]


def _listed(folder: Path) -> list[Path]:
    state = folder / "state.json"
    try:
        names = [str(f["filename"]) for f in json.loads(state.read_text(encoding="utf-8"))["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{state} names no data files ({error}); save the dataset again") from error
    lost = [n for n in names if Path(n).name != n or not (folder / n).is_file()]
    if lost:
        raise DataError(f"{state} names {lost[0]!r}, which is no file of {folder}; save the dataset again")
    return [folder / n for n in names]


def _record_files(folder: Path) -> list[Path]:
    return sorted(
        p for p in folder.iterdir() if p.is_file() and suffix_of(p) in SUFFIXES and not p.name.startswith((".", "_"))
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "_")))


def _group(file: Path, folder: Path) -> str:
    """What a file is a piece of: `train` of `train-00000-of-00002.parquet`, or of `train/data-00000.arrow`."""
    if file.parent != folder and file.parent.name in SPLITS:
        return file.parent.name
    name = written(file.name)
    name = name.removesuffix(".gz")[: -len(suffix_of(file))]
    return _SHARD.sub("", name) or name


def _of_split(files: list[Path], folder: Path, split: str | None) -> list[Path]:
    """The files of one split, where the files are splits."""
    groups = {f: _group(f, f.parent if f.parent.name not in SPLITS else folder) for f in files}
    there = sorted(set(groups.values()) & SPLITS)
    wanted = _chosen(there, folder, split)
    return [f for f, group in groups.items() if group in wanted] if wanted else files


def _chosen(there: list[str], folder: Path, split: str | None) -> list[str]:
    """Of the splits that are there the one to take; none where there are none."""
    if split is not None and split not in there:
        have = f"there are {', '.join(there)}" if there else "its files are no splits"
        raise UsageError(f"{folder} has no split {split!r}, {have}")
    if split is None and len(there) > 1 and "train" not in there:
        raise UsageError(f"{folder} has the splits {', '.join(there)}; name one: --split {there[0]}")
    return [split] if split else ["train"] if len(there) > 1 else there


def _sources(files: Iterable[Path], root: Path) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(f, written(f.relative_to(root).as_posix())) for f in files)
