"""Mined tasks -> a trainer's files: spans are cut, each file's rows have equal numbers of negatives."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.atomic import replacing_folder
from pipeline.config import FrameSettings
from pipeline.errors import MediaError, UsageError
from pipeline.media.frames import resolve
from pipeline.media.opening import open_regular
from pipeline.mine.export.clips import ClipSource, Key, cutting, files_of
from pipeline.mine.export.format import Format, Record, Row
from pipeline.schemas import CONTENT
from pipeline.stage import ROW, Progress, Runner
from pipeline.store.shards import read_dataset, read_manifest, write_json

BATCH_ROWS = 1000
SUMMARY = "summary.json"


@dataclass(frozen=True)
class Exported:
    """What exporting left behind for one task, also in its `summary.json`."""

    format: str
    task: str
    in_batch_negatives: bool  # whether other rows of a batch may serve as negatives
    rows: int  # of `train`; each was written or skipped
    lines: dict[str, int]  # by file
    skipped: dict[str, int]  # rows, by reason
    dropped_negatives: dict[str, int]  # documents whose medium cannot be read, by reason


@dataclass(frozen=True)
class ExportOptions:
    """What a run of exporting is told beside the format. media_root: replaces the manifests'."""

    frames: FrameSettings
    media_root: Path | None = None


def export(
    out: Path, tasks: Sequence[str], form: Format, run: Runner, progress: Progress, options: ExportOptions
) -> list[Exported]:
    """Write `<out>/export/<format>/<task>/`; no tasks means all that were mined.

    Every row is written, or skipped and counted with a reason. Clips lie in `<out>/export/clips/`,
    cut once for all formats and runs. Raises UsageError for an unknown task, DataError for a
    damaged data set, OSError when the disk is full; what was there is then as it was.
    """
    return [_export_task(out, name, form, run, progress, options) for name in _chosen(out, tasks)]


def _chosen(out: Path, wanted: Sequence[str]) -> list[str]:
    known = sorted(p.name for p in (out / "mined").glob("*") if read_manifest(p / "train") is not None)
    missing = sorted(set(wanted) - set(known))
    if missing or not known:
        have = f"there are {', '.join(known)}" if known else "there is none"
        task = f" --task {missing[0]}" if missing else ""
        raise UsageError(
            f"no mined task{f' {missing[0]!r}' if missing else ''} in {out / 'mined'}, {have}; "
            f"run: mine{task} --out {out}"
        )
    return list(dict.fromkeys(wanted)) or known


def _export_task(
    out: Path, name: str, form: Format, run: Runner, progress: Progress, options: ExportOptions
) -> Exported:
    folder = out / "mined" / name / "train"
    train, manifest = read_dataset(folder), read_manifest(folder)
    root = options.media_root or (Path(manifest.media_root) if manifest and manifest.media_root else None)
    files = _Files(root)
    if root is not None:
        source = ClipSource(root, (out / "export" / "clips").resolve(), options.frames)
        files.clips |= _cut(train, source, run, progress)
    lines: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    progress.begin([f"export {name}"], len(train))
    try:
        with replacing_folder(out / "export" / form.name / name, out / ".work") as staging:
            with _Lines(staging) as writer:
                for batch in train.to_batches(max_chunksize=BATCH_ROWS):
                    began, refused = time.perf_counter(), 0
                    for row in batch.to_pylist():
                        reason = files.put_into(row) or form.refuses(row)
                        if reason is not None:
                            skipped[reason] += 1
                            refused += 1
                            continue
                        for record in form.records(row):
                            lines[writer.write(record, len(row["negatives"]))] += 1
                    n = len(batch)
                    progress.advance(f"export {name}", n, n, refused, time.perf_counter() - began)
            in_batch = bool(pc.all(train.column("in_batch_negatives"), min_count=0).as_py())
            counts = [dict(sorted(c.items())) for c in (lines, skipped, files.dropped)]
            exported = Exported(form.name, name, in_batch, len(train), *counts)
            write_json(staging / SUMMARY, asdict(exported))
    finally:
        progress.end()
    return exported


def _cut(train: pa.Table, source: ClipSource, run: Runner, progress: Progress) -> dict[Key, str | MediaError]:
    """The clip of each span that `train` names, or why there is none."""
    wanted = {key for content in _contents(train) if (key := _key(content)) is not None}
    if not wanted:
        return {}
    table = files_of(wanted)
    numbered = table.append_column(ROW, pa.array(range(len(table)), pa.int64()))
    clips: dict[Key, str | MediaError] = {}
    for batch in run.map([cutting(source)], numbered, progress):
        for child in batch.drop_columns(["spans"]).to_pylist():
            no, key = child["reject"], (child["uri"], child["start_s"], child["end_s"])
            made = child["clip"] if no is None else MediaError(no["reason"], no["detail"])
            # A stage that failed on a whole file (`stage_error`) gives one child without a span.
            clips |= dict.fromkeys([key] if key in wanted else [k for k in wanted if k[0] == key[0]], made)
    return clips


def _contents(train: pa.Table) -> Iterator[dict[str, Any]]:
    yield from train.column("query").to_pylist()
    for name in ("positives", "negatives"):
        for chunk in train.column(name).chunks:
            yield from pc.struct_field(chunk.flatten(), "content").cast(CONTENT).to_pylist()


def _key(content: dict[str, Any]) -> Key | None:
    """The span of a video that a content names; None for text, an image or a whole video."""
    if content["video"] is None or (content["start_s"] is None and content["end_s"] is None):
        return None
    return content["video"], content["start_s"], content["end_s"]


@dataclass
class _Files:
    """Puts paths in the place of URIs and spans, and counts the negatives whose medium is lost."""

    media_root: Path | None
    clips: dict[Key, str | MediaError] = field(default_factory=dict)
    whole: dict[str, str | MediaError] = field(default_factory=dict)  # by URI
    dropped: Counter[str] = field(default_factory=Counter)

    def put_into(self, row: Row) -> str | None:
        """Change the contents of a row; gives the reason when the query or every positive is lost."""
        lost = self._replace(row["query"])
        if lost is not None:
            return lost
        reasons = [self._replace(document["content"]) for document in row["positives"]]
        row["positives"] = [d for d, reason in zip(row["positives"], reasons, strict=True) if reason is None]
        if not row["positives"]:
            return next(reason for reason in reasons if reason is not None)
        reasons = [self._replace(document["content"]) for document in row["negatives"]]
        row["negatives"] = [d for d, reason in zip(row["negatives"], reasons, strict=True) if reason is None]
        self.dropped.update(reason for reason in reasons if reason is not None)
        return None

    def _replace(self, content: dict[str, Any]) -> str | None:
        uri, key = content["image"] or content["video"], _key(content)
        if uri is None:
            return None
        found = self._whole(uri) if key is None or self.media_root is None else self.clips[key]
        if isinstance(found, MediaError):
            return found.reason
        if key is not None and key[1] == key[2]:
            content["image"], content["video"] = found, None
        else:
            content["image" if content["image"] else "video"] = found
        content["start_s"] = content["end_s"] = None
        return None

    def _whole(self, uri: str) -> str | MediaError:
        if uri not in self.whole:
            self.whole[uri] = _readable(self.media_root, uri)
        return self.whole[uri]


def _readable(media_root: Path | None, uri: str) -> str | MediaError:
    """The path of a whole file, or why it cannot be read."""
    if media_root is None:
        return MediaError("missing", f"{uri!r}: the data set names no media_root; pass --media-root")
    try:
        path = resolve(media_root, uri)
        open_regular(path).close()
    except MediaError as error:
        return error
    return str(path)


class _Lines:
    """One file of JSON lines for each number of negatives: trainers pad rows that have fewer than
    their neighbours with documents that may be positives (ms-swift), or are slower on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, TextIO] = {}
        self.closing = ExitStack()

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.close()

    def write(self, record: Record, negatives: int) -> str:
        """Append a line; gives the name of its file."""
        name = f"train-{negatives}-negatives.jsonl"
        if name not in self.files:
            self.files[name] = self.closing.enter_context((self.folder / name).open("w", encoding="utf-8"))
        self.files[name].write(json.dumps(record, ensure_ascii=False) + "\n")
        return name
