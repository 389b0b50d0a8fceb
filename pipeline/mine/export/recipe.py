"""Mined tasks -> a trainer's files: spans are cut, each file's rows have equal numbers of negatives."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.atomic import replacing_folder
from pipeline.config import FrameSettings
from pipeline.errors import MediaError
from pipeline.media.frames import FrameStore
from pipeline.media.places import root_of
from pipeline.mine.export.clips import ClipSource, Key, cutting, files_of
from pipeline.mine.export.files import Files, span_key
from pipeline.mine.export.format import Format, Record
from pipeline.mine.inputs import chosen
from pipeline.schemas import CONTENT
from pipeline.stage import Progress, Runner, numbered
from pipeline.store.shards import read_dataset, read_manifest, write_json

BATCH_ROWS = 1000
SUMMARY = "summary.json"
ATTRIBUTION = "attribution.json"


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
    media_root: str | None = None


def export(
    out: Path, tasks: Sequence[str], form: Format, run: Runner, progress: Progress, options: ExportOptions
) -> list[Exported]:
    """Write `<out>/export/<format>/<task>/`; no tasks means all that were mined.

    Every row is written, or skipped and counted with a reason. Clips lie in `<out>/export/media/`,
    cut once for all formats and runs. `attribution.json` names the media of the written rows with licence,
    author and origin, a list of schemas.SOURCE by URI. Raises UsageError for an unknown task, DataError for a
    damaged data set, OSError when the disk is full; what was there is then as it was.
    """
    mined = sorted(p.name for p in (out / "mined").glob("*") if read_manifest(p / "train") is not None)
    names = chosen(mined, tasks, f"mined task in {out / 'mined'}", "mine --task", out)
    return [_export_task(out, name, form, run, progress, options) for name in names]


def _export_task(
    out: Path, name: str, form: Format, run: Runner, progress: Progress, options: ExportOptions
) -> Exported:
    folder = out / "mined" / name / "train"
    train, manifest = read_dataset(folder), read_manifest(folder)
    root = options.media_root or (manifest.media_root if manifest else None)
    media = (out / "export" / "media").resolve()
    files = Files(FrameStore(out / "cache", root_of(root), options.frames) if root else None, media)
    if files.store is not None:
        files.clips |= _cut(train, ClipSource(files.store, media), run, progress)
    lines: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    credited: dict[str, dict[str, str | None]] = {}
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
                        credited |= {source["uri"]: source for source in row["sources"]}
                        for record in form.records(row):
                            lines[writer.write(record, len(row["negatives"]))] += 1
                    n = len(batch)
                    progress.advance(f"export {name}", n, n, refused, time.perf_counter() - began)
            in_batch = bool(pc.all(train.column("in_batch_negatives"), min_count=0).as_py())
            counts = [dict(sorted(c.items())) for c in (lines, skipped, files.dropped)]
            exported = Exported(form.name, name, in_batch, len(train), *counts)
            write_json(staging / ATTRIBUTION, [credited[uri] for uri in sorted(credited)])
            write_json(staging / SUMMARY, asdict(exported))
    finally:
        progress.end()
    return exported


def _cut(train: pa.Table, source: ClipSource, run: Runner, progress: Progress) -> dict[Key, str | MediaError]:
    """The clip of each span that `train` names, or why there is none."""
    wanted = {key for content in _contents(train) if (key := span_key(content)) is not None}
    if not wanted:
        return {}
    clips: dict[Key, str | MediaError] = {}
    for batch in run.map([cutting(source)], numbered(files_of(wanted)), progress):
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
