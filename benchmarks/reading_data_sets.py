"""How long `mine --dataset` and `--embeddings` take to read a data set from elsewhere, and how much memory.

    python benchmarks/reading_data_sets.py --documents 1000000 --dim 384

Writes texts of 60 words as a BEIR folder and as pairs, and vectors, to a temporary folder; reads each in a process
of its own. `memory` is the peak of that process beyond what it takes after the imports, in MB; pages of files that
are mapped count, and the system may take them back.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import Config, GuardSettings, MineSettings, RunnerSettings
from pipeline.mine.data_set import DataSet, subject_of
from pipeline.mine.given_vectors import GivenVectors
from pipeline.mine.inputs import read_task
from pipeline.mine.recipe import MineOptions, mine_data_set
from pipeline.runners.local import LocalRunner
from pipeline.store.shards import read_dataset

WORDS, WORDS_A_TEXT, BATCH = 20_000, 60, 10_000


class Unseen:
    """A Progress that nobody watches."""

    def begin(self, stages: object, rows: int) -> None: ...
    def advance(self, stage: str, rows_in: int, rows_out: int, rejected: int, seconds: float) -> None: ...
    def end(self) -> None: ...


def texts(n: int, seed: int) -> Iterator[str]:
    """`n` texts of random words."""
    rng = np.random.default_rng(seed)
    for start in range(0, n, BATCH):
        for row in rng.integers(0, WORDS, (min(BATCH, n - start), WORDS_A_TEXT)):
            yield " ".join(f"w{i}" for i in row)


def write(folder: Path, documents: int, queries: int, dim: int) -> None:
    """The data set as BEIR, as pairs, and its vectors."""
    beir, vectors = folder / "beir", folder / "vectors"
    (beir / "qrels").mkdir(parents=True)
    vectors.mkdir()
    for name, n, seed in (("corpus", documents, 0), ("queries", queries, 1)):
        with (beir / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for i, text in enumerate(texts(n, seed)):
                file.write(json.dumps({"_id": f"{name}-{i}", "title": "", "text": text}) + "\n")
        rng, noise = np.random.default_rng(0), np.random.default_rng(seed)  # query i lies near document i
        schema = pa.schema([("id", pa.string()), ("vector", pa.list_(pa.float32(), dim))])
        with pq.ParquetWriter(vectors / f"{name}_vectors.parquet", schema) as writer:
            for start in range(0, n, BATCH):
                rows = rng.normal(size=(min(BATCH, n - start), dim)).astype(np.float32)
                rows += seed * 0.5 * noise.normal(size=rows.shape).astype(np.float32)
                rows /= np.linalg.norm(rows, axis=1, keepdims=True)
                ids = pa.array([f"{name}-{i}" for i in range(start, start + len(rows))])
                lists = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), dim)
                writer.write_table(pa.table([ids, lists], schema=schema))
    with (beir / "qrels" / "train.tsv").open("w", encoding="utf-8") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        file.writelines(f"queries-{i}\tcorpus-{i}\t1\n" for i in range(queries))
    with (folder / "pairs.jsonl").open("w", encoding="utf-8") as file:
        per = documents // queries - 1
        pool = texts(documents, 2)
        for text in texts(queries, 3):
            row = {"query": text, "pos": [next(pool)], "neg": [next(pool) for _ in range(per)]}
            file.write(json.dumps(row) + "\n")


def peak_mb() -> float:
    """The largest resident size of this process so far; getrusage would tell that of its parent."""
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def read(folder: Path, what: str) -> dict[str, float]:
    """Seconds and memory of one step, in this process."""
    out, before, began = folder / "out", peak_mb(), time.perf_counter()
    if what in ("beir", "pairs"):
        subject_of(out, DataSet(folder / ("beir" if what == "beir" else "pairs.jsonl")), Unseen(), overwrite=False)
    elif what == "mine":
        given = GivenVectors(folder / "vectors")
        wanted = Config(mine=MineSettings(guards=GuardSettings(near_duplicate=False)))
        options = MineOptions(given.fingerprint, vectors=given)
        runner = LocalRunner(RunnerSettings(kind="local"))
        mine_data_set(out, DataSet(folder / "beir"), wanted, runner, Unseen(), options)
    elif what == "task":
        read_task(out / "datasets" / "beir", None)
    else:
        ids = read_dataset(out / "datasets" / "beir" / "corpus", ["doc_id"]).column("doc_id").combine_chunks()
        before, began = peak_mb(), time.perf_counter()
        GivenVectors(folder / "vectors").read("corpus", ids, out / ".work")
    return {"seconds": time.perf_counter() - began, "memory_mb": peak_mb() - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--queries", type=int)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--mine", action="store_true", help="mine it too, without near-duplicate groups")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        print(json.dumps(read(Path(args.step[0]), args.step[1])))
        return
    queries = args.queries or args.documents // 10
    found = {}
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), args.documents, queries, args.dim)
        print(f"{queries:,} queries, {args.documents:,} documents of {WORDS_A_TEXT} words, {args.dim} dimensions")
        steps = {
            "beir": "a BEIR folder into our layout",
            "task": "our layout into memory",
            "vectors": "vectors of the corpus into a matrix on disk",
            **({"mine": "all of mining, from our layout and vectors"} if args.mine else {}),
            "pairs": "pairs into our layout",
        }
        for step, said in steps.items():
            done = subprocess.run(
                [sys.executable, __file__, "--step", name, step], check=True, capture_output=True, text=True
            )
            found[step] = json.loads(done.stdout.splitlines()[-1])
            print(f"{said:45} {found[step]['seconds']:8.1f} s {found[step]['memory_mb']:8.0f} MB", flush=True)
    if args.json:
        args.json.write_text(json.dumps({"documents": args.documents, "queries": queries, **found}, indent=2))


if __name__ == "__main__":
    main()
