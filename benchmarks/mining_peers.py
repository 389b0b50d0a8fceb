"""Mining beside the miners people use: the same vectors, the same machine, each in a process of its own.

    make bench-mining-peers
    python benchmarks/mining_peers.py --peer .venv-mining-peers [--queries 20000 --docs 50000]

Clustered random vectors with one planted positive a query lie on disk. Each miner reads them, recalls
100 documents a query, picks at most 15 negatives and writes its rows. Ours is the command itself,
`mine --dataset planted --embeddings DIR`, with and without near-duplicate groups, which no peer has.
Wall time includes imports. `anonymous` is the peak of the memory that no file backs (what counts
above vectors that are mapped from disk), `resident` the peak of all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from planted import planted

CONTENDERS = Path(__file__).parent / "mining_contenders.py"
PEERS = ("st-nearest", "st-recommended", "flag-embedding", "bare-faiss")


@dataclass(frozen=True)
class Spent:
    """What a process took. seconds: wall and CPU; anonymous, resident: peak MiB."""

    wall: float
    cpu: float
    anonymous: float
    resident: float


def spent_by(command: list[str]) -> Spent:
    """Run a command to its end. Raises CalledProcessError when it fails."""
    began, anonymous = time.perf_counter(), 0.0
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            anonymous = max(anonymous, _anonymous(process.pid))
            time.sleep(0.02)
        wall, (_, status, used) = time.perf_counter() - began, ended
        if code := os.waitstatus_to_exitcode(status):
            errors.seek(0)
            raise subprocess.CalledProcessError(code, command, stderr=errors.read().decode())
    return Spent(wall, used.ru_utime + used.ru_stime, anonymous, used.ru_maxrss / 1024)


def _anonymous(pid: int) -> float:
    """MiB of a process that no file backs."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(float(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def write_inputs(folder: Path, queries: int, docs: int, dim: int) -> None:
    """The same vectors for all: .npy for the peers, the data set and its vectors for ours."""
    asked, corpus, positives = planted(queries, docs, dim, seed=0)
    for name, array in (("queries", asked), ("corpus", corpus), ("positives", positives)):
        np.save(folder / f"{name}.npy", array)
    beir = folder / "planted"
    (beir / "qrels").mkdir(parents=True)
    for name, prefix, vectors in (("queries", "q", asked), ("corpus", "d", corpus)):
        names = [f"{prefix}{i}" for i in range(len(vectors))]
        with (beir / f"{name}.jsonl").open("w") as file:
            file.writelines(json.dumps({"_id": n, "text": n}) + "\n" for n in names)
        ids = pa.array(names)
        lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dim)
        pq.write_table(pa.table({"id": ids, "vector": lists}), folder / f"{name}_vectors.parquet")
    with (beir / "qrels" / "train.tsv").open("w") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        file.writelines(f"q{i}\td{p}\t1\n" for i, p in enumerate(positives.tolist()))


def main() -> None:
    """Run each in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="environment of the peers")
    parser.add_argument("--queries", type=int, default=20_000)
    parser.add_argument("--docs", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=2, help="of all in turn; the fastest counts")
    args = parser.parse_args()

    best: dict[str, Spent] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, args.queries, args.docs, args.dim)
        ours = [Path(sys.executable).parent / "mine", "--dataset", folder / "planted", "--embeddings", folder]
        ours += ["--out", folder / "out", "--t-pos", "0.6", "--margin", "0.1", "--runner", "local", "--overwrite"]
        commands = {"seedmine": ours, "seedmine-no-groups": [*ours, "--set", "mine.guards.near_duplicate=false"]}
        commands |= {p: [args.peer / "bin" / "python", CONTENDERS, p, folder] for p in PEERS}
        for _ in range(args.rounds):  # in turn, so that a busy moment of the machine hits all alike
            for who, command in commands.items():
                spent = spent_by([str(part) for part in command])
                best[who] = min(spent, best.get(who, spent), key=lambda s: s.wall)

    print(f"{args.queries} queries, {args.docs} documents, {args.dim} dimensions, {os.cpu_count()} cores")
    print(f"{'miner':<20}{'wall s':>9}{'CPU s':>9}{'anonymous MiB':>15}{'resident MiB':>14}{'wall, ours = 1':>16}")
    for who, spent in best.items():
        ratio = spent.wall / best["seedmine"].wall
        print(
            f"{who:<20}{spent.wall:>9.1f}{spent.cpu:>9.1f}{spent.anonymous:>15.0f}{spent.resident:>14.0f}{ratio:>16.2f}"
        )


if __name__ == "__main__":
    main()
