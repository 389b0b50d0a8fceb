"""What assembling a retrieval task costs as the pool grows: python benchmarks/assembly.py POOL [SIZE ...]

POOL is an <out> folder with a seed pool; its facts are repeated to each SIZE (default 1000 2000 4000 8000).
Prints seconds of assembly, queries, and pairs that the facts leave open.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Config, RunnerSettings
from pipeline.runners.local import LocalRunner
from pipeline.stage import ROW
from pipeline.store.shards import read_dataset
from pipeline.synth.annotation import Annotation
from pipeline.synth.assemble import assemble
from pipeline.synth.by_facts import by_facts
from pipeline.synth.checks import Checking, checking
from pipeline.synth.subjects import subjects
from pipeline.synth.tasks import task

TASK = "image_retrieval"


class Quiet:
    def begin(self, stages: object, rows: int) -> None: ...
    def advance(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None: ...
    def end(self) -> None: ...


def repeated(assets: pa.Table, rows: int) -> pa.Table:
    """`rows` images with the facts of `assets`, each with an id of its own."""
    images = assets.filter(pc.equal(assets.column("media"), "image"))
    many = images.take(pa.array([i % len(images) for i in range(rows)]))
    names = pa.array([f"a{i:07d}" for i in range(rows)])
    for column in ("asset_id", "uri", "sha256"):
        many = many.set_column(many.column_names.index(column), column, names)
    return many


def main(out: Path, sizes: list[int]) -> None:
    config, spec = Config(), task(TASK)
    pool = read_dataset(out / "seed_pool" / "assets")
    results = []
    print(f"{'assets':>8} {'seconds':>8} {'queries':>8} {'undecided':>10}")
    for size in sizes:
        assets = repeated(pool, size)
        annotation = Annotation(TASK, config.synth, config.frames, out / "cache", out)
        stages = [by_facts(annotation), checking(Checking(TASK, config.synth))]
        asked = subjects(assets, spec, ("en",))
        asked = asked.append_column(ROW, pa.array(range(len(asked)), pa.int64()))
        checked = pa.concat_tables(LocalRunner(RunnerSettings(kind="local")).map(stages, asked, Quiet()))
        began = time.perf_counter()
        data = assemble(spec, checked, assets, config.synth)
        seconds = time.perf_counter() - began
        print(f"{size:8d} {seconds:8.1f} {len(data.queries):8d} {len(data.undecided):10d}")
        results.append(
            {"assets": size, "seconds": seconds, "queries": len(data.queries), "undecided": len(data.undecided)}
        )
    Path("data/bench-assembly.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(a) for a in sys.argv[2:]] or [1000, 2000, 4000, 8000])
