"""How the assembling of a task grows with the pool: python benchmarks/assembly.py [--assets 1000 2000 4000 8000]

Repeats the assets of a built pool under new ids until there are as many as asked for, lets the builtin
annotator fill the task, and times the assembling alone; CPU seconds leave out the waiting for other work.
With --distinct every copy shows classes and texts of its own, the worst case: a verdict is needed for each
of these on each asset, and both grow with the pool.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.config import FrameSettings, SynthSettings
from pipeline.runners.apply import apply_step
from pipeline.schemas import ASSETS
from pipeline.store.shards import read_dataset
from pipeline.synth.annotation import Annotation
from pipeline.synth.assemble import assemble
from pipeline.synth.by_facts import by_facts
from pipeline.synth.checks import Checking, checking
from pipeline.synth.subjects import of_medium, subjects
from pipeline.synth.task import TaskSpec
from pipeline.synth.tasks import TASKS


def copy(asset: dict[str, Any], number: int, distinct: bool) -> dict[str, Any]:
    """The asset under another id and, where asked for, with a class and a text that no other has."""
    new = {**asset, "asset_id": f"{asset['asset_id']}-{number}", "sha256": f"{asset['sha256']}-{number}"}
    if distinct and number:
        own = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        facts = json.loads(asset["facts"])
        facts["text"] = [{**line, "text": f"{line['text']} {own * 3}"} for line in facts["text"]]
        new["facts"] = json.dumps(facts)
        new["labels"] = [{**guess, "name": f"{guess['name']} {own}"} for guess in asset["labels"]]
    return new


def grown(assets: pa.Table, size: int, distinct: bool) -> pa.Table:
    """A pool of `size` assets."""
    rows = assets.to_pylist()
    copies = [copy(rows[i % len(rows)], i // len(rows), distinct) for i in range(size)]
    return pa.Table.from_pylist(copies, schema=ASSETS)


def checked(spec: TaskSpec, pool: pa.Table, settings: SynthSettings) -> pa.Table:
    """What the check stage hands over: the input of the assembling."""
    annotation = Annotation(spec.name, settings, FrameSettings(), Path(), Path(), 0)
    rows = apply_step(by_facts(annotation), subjects(pool, spec, ["en"]))
    return apply_step(checking(Checking(spec.name, settings)), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, default=Path("data/seed_pool/assets"))
    parser.add_argument("--assets", type=int, nargs="+", default=[1000, 2000, 4000, 8000])
    parser.add_argument("--task", choices=list(TASKS), nargs="+", default=["image_retrieval"])
    parser.add_argument("--distinct", action="store_true", help="each copy shows what no other does")
    parser.add_argument("--json", type=Path, default=Path("data/benchmarks/assembly.json"))
    arguments = parser.parse_args()
    settings, rows = SynthSettings(), []
    for name in arguments.task:
        spec = TASKS[name]
        of_it = of_medium(read_dataset(arguments.pool), spec)
        for size in arguments.assets:
            pool = grown(of_it, size, arguments.distinct)
            examples = checked(spec, pool, settings)
            began, worked = time.perf_counter(), time.process_time()
            data = assemble(spec, examples, pool, settings)
            seconds, cpu = time.perf_counter() - began, time.process_time() - worked
            rows.append(
                {
                    "task": name,
                    "assets": size,
                    "examples": len(examples),
                    "queries": len(data.queries),
                    "relevance": len(data.relevance),
                    "undecided": len(data.undecided),
                    "seconds": round(seconds, 2),
                    "CPU seconds": round(cpu, 2),
                }
            )
            print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
