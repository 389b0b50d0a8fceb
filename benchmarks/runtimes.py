"""Which runtime should run the builtin classifier: torch, ONNX Runtime or OpenVINO?

    python benchmarks/runtimes.py [--model lite2] [--threads 1] [--seconds 5] [--json FILE]

Images a second and thread for each runtime and batch size, and the largest difference of a logit
from torch. OpenVINO comes with the dev group; without it its rows are missing. Run it on an idle
machine: torch's threads spin badly beside other work.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.models.builtin.classifier import WEIGHTS, ImageNetClassifier, network, prepared
from pipeline.models.builtin.onnx_cache import cache_folder

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
BATCHES = (1, 8, 32)


def by_torch(model: str, threads: int) -> Run:
    torch.set_num_threads(threads)
    net, _ = network(WEIGHTS[model])

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(net(torch.from_numpy(batch)).numpy())

    return run


def by_onnxruntime(model: str, threads: int) -> Run:
    session: Any = ImageNetClassifier(model, threads)._session
    return lambda batch: np.asarray(session.run(None, {"input": batch})[0])


def by_openvino(path: Path, threads: int, precision: str) -> Run:
    import openvino

    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads}
    if precision:
        settings["INFERENCE_PRECISION_HINT"] = precision
    compiled: Any = openvino.Core().compile_model(str(path), "CPU", settings)
    return lambda batch: np.asarray(compiled(batch)[0])


def rate(run: Run, batch: NDArray[np.float32], seconds: float, threads: int) -> float:
    run(batch)
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        run(batch)
        done += len(batch)
    return done / (time.perf_counter() - start) / threads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(WEIGHTS), default="lite2")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0, help="a measurement")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    args = parser.parse_args()
    runs = {
        "torch": by_torch(args.model, args.threads),
        "ONNX Runtime": by_onnxruntime(args.model, args.threads),
    }
    if find_spec("openvino") is not None:
        path = next(cache_folder().glob(f"{args.model}-*.onnx"))
        runs["OpenVINO f32"] = by_openvino(path, args.threads, "f32")
        runs["OpenVINO, its own precision"] = by_openvino(path, args.threads, "")
    noise = np.random.default_rng(0)
    side = WEIGHTS[args.model].side_px
    pictures = [np.kron(noise.integers(0, 256, (8, 8, 3)), np.ones((40, 40, 1))).astype(np.uint8) for _ in range(32)]
    batch = np.concatenate([prepared(p, side) for p in pictures])
    truth = runs["torch"](batch)
    rows = []
    for name, run in runs.items():
        row: dict[str, Any] = {"runtime": name, "max |logit - torch|": float(np.abs(run(batch) - truth).max())}
        row["same first class"] = float((run(batch).argmax(axis=1) == truth.argmax(axis=1)).mean())
        row |= {
            f"images/s a thread, batch {n}": round(rate(run, batch[:n], args.seconds, args.threads), 1) for n in BATCHES
        }
        rows.append(row)
        print(json.dumps(row))
    if args.json is not None:
        args.json.write_text(
            json.dumps({"model": args.model, "threads": args.threads, "rows": rows}, indent=1), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
