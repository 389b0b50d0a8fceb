"""How fast is mining beside the search that it cannot do without?

    python benchmarks/mining.py [--queries 20000] [--docs 50000] [--dim 384] [--json mining.json]

Mines clustered random vectors with planted positives, from vectors to shards on disk, and searches
the same vectors with bare faiss in the same run. The ratio is search time over mining time: 1 means
that recall, rule, guards and writing cost nothing beside the search. Near-duplicate groups are a
property of the corpus, not of the queries; they are timed on their own line and in a second ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
from planted import planted

from pipeline.config import Config, RunnerSettings
from pipeline.mine.groups import near_duplicate_groups
from pipeline.mine.guards import Documents, Guards, Queries
from pipeline.mine.inputs import Task
from pipeline.mine.judgements import Judgements
from pipeline.mine.labels import ASSET_COLUMNS
from pipeline.mine.mine_vectors import SubDataset, mine_vectors
from pipeline.mine.ragged import Ragged
from pipeline.mine.rows import Rows
from pipeline.mine.settle import Part
from pipeline.models.protocols import Vectors
from pipeline.runners.local import LocalRunner
from pipeline.schemas import ASSETS, CORPUS, MINE_REJECTED, QUERIES, TRAIN
from pipeline.store.shards import Manifest, write_dataset


@dataclass
class Clock:
    """Seconds of each step, best of its repeats."""

    seconds: dict[str, float]

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        spent = time.perf_counter() - began
        self.seconds[name] = min(spent, self.seconds.get(name, spent))


def text_task(judgements: Judgements, queries: int, docs: int) -> Task:
    def table(prefix: str, n: int, schema: pa.Schema) -> pa.Table:
        ids = pa.array([f"{prefix}{i:08d}" for i in range(n)])
        known = {schema.names[0]: ids, "text": pa.array([f"{prefix} text number {i}" for i in range(n)])}
        known |= {"task_type": pa.array(["any"] * n), "language": pa.array(["en"] * n)}
        return pa.table([known.get(f.name, pa.nulls(n, f.type)) for f in schema], schema=schema)

    return Task(
        "bench", {"any": "Find it."}, True, table("q", queries, QUERIES), table("d", docs, CORPUS), judgements, None, ""
    )


def bare_search(queries: Vectors, corpus: Vectors, k: int) -> None:
    index = faiss.IndexFlatIP(corpus.shape[1])
    index.add(corpus)
    index.search(queries, k)


NO_ASSETS = pa.schema([ASSETS.field(c) for c in ASSET_COLUMNS]).empty_table()  # texts have none


def mine(task: Task, data: SubDataset, documents: Documents, config: Config, folder: Path) -> tuple[int, int]:
    """Vectors to shards: guards, recall, rule, rows, files. Returns rows kept and negatives."""
    positives = task.judgements.positives
    guards = Guards(Queries(np.arange(len(positives))), positives, documents, False, config.mine.guards)
    run = LocalRunner(RunnerSettings(kind="local"))
    mined = mine_vectors(data, task.judgements, guards, config.mine, config.embedder.score_map, run)
    rows, part = (
        Rows.of(task, documents.group, NO_ASSETS),
        Part("any", "en", data.query_rows, data.document_rows, mined),
    )
    train, rejected = rows.train(part), rows.rejected(part, config.mine)
    for name, table, schema in (("train", train, TRAIN), ("rejected", rejected, MINE_REJECTED)):
        write_dataset(folder / name, table, schema, Manifest(len(table), ""), folder / "work")
    return len(train), len(mined.refined.negatives.documents)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=20_000)
    parser.add_argument("--docs", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=3, help="of each step; the fastest counts")
    parser.add_argument("--json", type=Path, default=None, help="write the figures here")
    args = parser.parse_args()

    config = Config()
    queries, corpus, positives = planted(args.queries, args.docs, args.dim, seed=0)
    every = np.arange(args.queries, dtype=np.int64)
    judgements = Judgements.of(
        every, positives, np.ones(args.queries, bool), np.zeros(args.queries, np.uint8), args.queries, args.docs
    )
    task = text_task(judgements, args.queries, args.docs)
    own = np.arange(args.docs, dtype=np.int64)
    nowhere = np.full(args.docs, np.nan)
    data = SubDataset(queries, corpus, every, own)
    clock, found, group = Clock({}), (0, 0), own
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.repeats):  # in turn, so that a busy moment of the machine hits all alike
            with clock.timing("bare faiss search"):
                bare_search(queries, corpus, config.mine.top_k)
            with clock.timing("near-duplicate groups"):
                none = Ragged(np.zeros(args.docs + 1, np.int64), np.zeros(0, np.int64))
                group = near_duplicate_groups(own, corpus, np.ones(args.docs, bool), none, config.mine.guards)
            with clock.timing("mining, vectors to shards"):
                documents = Documents(own, group, np.full(args.docs, -1), nowhere, nowhere)
                found = mine(task, data, documents, config, Path(folder))

    search, groups, mining = clock.seconds.values()
    figures = {
        "queries": args.queries,
        "documents": args.docs,
        "dimensions": args.dim,
        "top_k": config.mine.top_k,
        "cores": os.cpu_count(),
        "kept": found[0],
        "negatives": found[1],
        "seconds": {name: round(s, 3) for name, s in clock.seconds.items()},
        "ratio": round(search / mining, 3),
        "ratio_with_groups": round(search / (mining + groups), 3),
        "queries_a_second": round(args.queries / mining, 1),
    }
    for name, seconds in clock.seconds.items():
        print(f"{name:<28}{seconds:>9.2f} s")
    print(f"{'ratio to bare search':<28}{figures['ratio']:>9} (with groups {figures['ratio_with_groups']}; aim 0.8)")
    print(f"{found[0]} of {args.queries} queries kept, {found[1]} negatives, {figures['queries_a_second']} queries/s")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
