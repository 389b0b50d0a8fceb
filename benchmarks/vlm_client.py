"""How many requests a second can be asked of a server that answers at once, and in how much memory?

    python benchmarks/vlm_client.py [--requests 3000] [--concurrency 32] [--side 1024] [--json FILE]
        [--peer distilabel=PYTHON] [--peer curator=PYTHON]

The same question with the same picture goes to the same server process from: the client library alone; our
adapter alone; the synth stage with the plain runner; the same on Ray with two workers, as `synth run` does it
(prompts rendered, frames read, replies cached and parsed, rows written). A peer runs where its own environment's
PYTHON is named. Each is a process of its own. The rate is by the server's clock, from the first request to the last, so
that no start counts; memory is the peak of the proportional set size of all processes of a client, Ray's own
too; CPU is of the client's processes between those two requests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from processor import cpu_seconds, descendants
from road import Quiet

from pipeline.config import Config
from pipeline.media.frames import FrameStore
from pipeline.media.jpeg import encode_jpeg
from pipeline.models.load import load
from pipeline.models.openai.bodies import content
from pipeline.models.openai.vlm import OpenAiVlm
from pipeline.models.protocols import Pixels, Request
from pipeline.runners.local import LocalRunner
from pipeline.runners.ray import RayRunner
from pipeline.schemas import ASSETS
from pipeline.stage import ModelRef, Runner, live
from pipeline.store.reply_cache.cached_vlm import REPLIES
from pipeline.store.resume import chunked, resumable_map
from pipeline.synth.annotation import Annotation
from pipeline.synth.by_vlm import by_vlm, request
from pipeline.synth.subjects import subject, subjects
from pipeline.synth.tasks import TASKS

TASK = TASKS["image_qa"]
REPLY = {
    "description": "A red cup stands on a wooden table in front of a white wall. " * 8,
    "task_type": "Factoid Identification",
    "question": "What stands on the table?",
    "positive_answer": "A red cup",
    "hard_negative_answer": "A blue vase",
}
SAMPLE_S = 0.25
BLOCK_PX = 12
PEERS = {
    "distilabel": """
import json, sys, warnings
warnings.simplefilter("ignore")
from distilabel.models.llms import OpenAILLM
asked = json.load(open(sys.argv[2]))
llm = OpenAILLM(model="m", base_url=sys.argv[1], api_key="none", max_retries=0, timeout=60)
llm.load()
for first in range(0, asked["requests"], asked["concurrency"]):  # it has no bound of its own
    batch = [asked["messages"]] * min(asked["concurrency"], asked["requests"] - first)
    assert len(llm.generate(batch, temperature=0.7, top_p=0.8, max_new_tokens=2048)) == len(batch)
""",
    "curator": """
import json, os, sys, tempfile
os.environ |= {"TELEMETRY_ENABLED": "0", "CURATOR_CACHE_DIR": tempfile.mkdtemp(), "OPENAI_API_KEY": "none"}
import litellm
# litellm brings the vocabulary that Curator counts tokens with and would download.
os.environ["TIKTOKEN_CACHE_DIR"] = os.path.join(os.path.dirname(litellm.__file__), "litellm_core_utils/tokenizers")
from bespokelabs import curator
asked = json.load(open(sys.argv[2]))
class Asking(curator.LLM):
    def prompt(self, row):
        return asked["messages"]
    def parse(self, row, response):
        return {"said": response}
limits = {"max_requests_per_minute": 10**7, "max_tokens_per_minute": 10**11}
params = {"base_url": sys.argv[1], "max_concurrent_requests": asked["concurrency"], **limits}
Asking(model_name="m", backend="openai", backend_params=params)([{"i": i} for i in range(asked["requests"])])
""",
}


async def serve() -> None:
    """Answer every chat completion at once, and GET with what was seen."""
    reply = {"choices": [{"index": 0, "message": {"role": "assistant", "content": json.dumps(REPLY)}}]}
    whole = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", **reply}
    whole["choices"][0]["finish_reason"] = "stop"  # type: ignore[index]
    whole["usage"] = {"prompt_tokens": 1500, "completion_tokens": 150, "total_tokens": 1650}
    answer = json.dumps(whole).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    seen: list[float] = []
    open_now = most = 0

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
                open_now += 1
                most = max(most, open_now)
                size = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
                await reader.readexactly(size)
                said = answer
                if lines[0].startswith(b"get"):
                    said = json.dumps({"seen": seen, "most": most}).encode()
                else:
                    seen.append(time.monotonic())
                writer.write(head % len(said) + said)
                await writer.drain()
                open_now -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0, limit=1 << 22)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def assets(count: int) -> pa.Table:
    rows = [{"asset_id": f"{i:06d}", "uri": f"{i:06d}.jpg", "media": "image", "sha256": str(i)} for i in range(count)]
    more = {"category": "Man-made/object", "description": "A cup on a table.", "labels": []}
    return pa.Table.from_pylist([{**row, **more} for row in rows], schema=ASSETS)


def picture(side: int) -> bytes:
    """As large as a photo's JPEG of that size: blocks of random colours."""
    noise = np.random.default_rng(0).integers(0, 256, (side // BLOCK_PX, side // BLOCK_PX, 3))
    return encode_jpeg(np.kron(noise, np.ones((BLOCK_PX, BLOCK_PX, 1))).astype(np.uint8))


def prepared(folder: Path, count: int, side: int) -> None:
    """Sampled frames of all assets where the stage finds them: one file, many names."""
    store = FrameStore(folder / "cache", folder, Config().frames)
    names = [store.path(one) for one in assets(count).column("asset_id").to_pylist()]
    store.put("000000", Pixels((picture(side),), (0.0,), video=False))
    for path in names[1:]:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(names[0], path)


def config(url: str, concurrency: int, kind: str) -> Config:
    server = {"concurrency": concurrency}
    vlm = {"adapter": "openai", "base_url": url, "model": "m", "server": server}
    return Config.model_validate({"vlm": vlm, "runner": {"kind": kind, "workers": 2}})


def first_request(folder: Path, settings: Config) -> Request:
    annotation = Annotation(TASK.name, settings.synth, settings.frames, folder / "cache", folder, 0)
    row = subjects(assets(1), TASK, ["en"]).to_pylist()[0]
    store = FrameStore(folder / "cache", folder, settings.frames)
    return request(TASK, subject(row), "en", annotation, store)


def by_library(url: str, folder: Path, count: int, concurrency: int) -> None:
    """The client library alone."""
    import openai

    settings = config(url, concurrency, "local")
    messages: Any = [{"role": "user", "content": content(first_request(folder, settings), settings.vlm)}]
    schema = TASK.reply(settings.synth).model_json_schema()
    form: Any = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    sampling: Any = {"temperature": 0.7, "top_p": 0.8, "seed": 0, "max_tokens": 2048}

    async def run() -> None:
        client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
        places = asyncio.Semaphore(concurrency)

        async def one() -> None:
            async with places:
                await client.chat.completions.create(model="m", messages=messages, response_format=form, **sampling)

        await asyncio.gather(*(one() for _ in range(count)))

    asyncio.run(run())


def by_adapter(url: str, folder: Path, count: int, concurrency: int) -> None:
    """The adapter alone."""
    settings = config(url, concurrency, "local")
    vlm = OpenAiVlm(settings.vlm)
    asked, schema = first_request(folder, settings), TASK.reply(settings.synth).model_json_schema()
    if any(reply.finish_reason != "stop" for _, reply in vlm.stream([asked] * count, schema)):
        raise RuntimeError("a request was not answered")


def by_stage(url: str, folder: Path, count: int, concurrency: int, kind: str) -> None:
    """The stage, on a runner, into a reply cache and working shards."""
    shutil.rmtree(folder / "cache" / REPLIES, ignore_errors=True)  # of the runner before
    settings = config(url, concurrency, kind)
    run: Runner = LocalRunner(settings.runner) if kind == "local" else RayRunner(settings.runner)
    annotation = Annotation(TASK.name, settings.synth, settings.frames, folder / "cache", folder, 0)
    vlm = settings.annotator
    stage = by_vlm(annotation, ModelRef("vlm", vlm), vlm.batch_size)
    asked = subjects(assets(count), TASK, ["en"])
    made = resumable_map(run, [stage], chunked(asked), folder / f"work-{kind}", Quiet()).read()
    if len(live(made)) != count:
        raise RuntimeError(f"{len(live(made))} of {count} rows were kept")
    load.cache_clear()


CLIENTS: dict[str, Callable[[str, Path, int, int], object]] = {
    "client library": by_library,
    "adapter": by_adapter,
    "stage, plain runner": partial(by_stage, kind="local"),
    "stage, Ray, 2 workers": partial(by_stage, kind="ray"),
}


def stats(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as response:
        return dict(json.load(response))


@dataclass
class Watched:
    """What a client's processes took: peak MiB of proportional set size; CPU seconds by the clock that all share."""

    peak_mib: float
    clock: list[float]
    cpu: list[float]

    def cpu_between(self, first: float, last: float) -> float:
        then, now = np.interp([first, last], self.clock, self.cpu)
        return float(now - then)


def watched(command: list[str]) -> Watched:
    """Run a command to its end."""
    seen = Watched(0.0, [], [])
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        kib = 0
        for pid in descendants(process.pid):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended since the listing
            kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        seen.peak_mib = max(seen.peak_mib, kib / 1024)
        seen.clock.append(time.monotonic())
        seen.cpu.append(cpu_seconds(process.pid))
        time.sleep(SAMPLE_S)
    if process.returncode:
        raise SystemExit(f"{command[:3]} failed: {process.stderr and process.stderr.read()[-2000:]}")
    return seen


def measured(name: str, command: list[str], count: int) -> dict[str, Any]:
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline()) if server.stdout else 0
    try:
        took = watched([part.replace("{url}", f"http://127.0.0.1:{port}/v1") for part in command])
        told = stats(port)
    finally:
        server.kill()
        server.wait()
    seen = told["seen"]
    if len(seen) < count:
        raise SystemExit(f"{name} asked {len(seen)} of {count}")
    return {
        "client": name,
        "requests/s": round((len(seen) - 1) / (seen[-1] - seen[0]), 1),
        "CPU ms a request": round(1000 * took.cpu_between(seen[0], seen[-1]) / len(seen), 2),
        "peak MiB": round(took.peak_mib),
        "most in flight": told["most"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--side", type=int, default=1024, help="px of the picture")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--json", type=Path, default=Path("data/benchmarks/vlm_client.json"))
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--run", nargs=3, metavar=("CLIENT", "URL", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    count, concurrency = arguments.requests, arguments.concurrency
    if arguments.serve:
        asyncio.run(serve())
        return
    if arguments.run:
        client, url, place = arguments.run
        CLIENTS[client](url, Path(place), count, concurrency)
        return
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepared(folder, count, arguments.side)
        settings = config("http://127.0.0.1:1/v1", concurrency, "local")
        parts = content(first_request(folder, settings), settings.vlm)
        asked = {"messages": [{"role": "user", "content": parts}], "requests": count, "concurrency": concurrency}
        (folder / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        print(f"{count} requests of {len(json.dumps(parts)) // 1024} KiB, {concurrency} at once", flush=True)
        sizes = [f"--requests={count}", f"--concurrency={concurrency}"]
        commands = {name: [sys.executable, __file__, "--run", name, "{url}", temporary, *sizes] for name in CLIENTS}
        for peer in arguments.peer:
            name, _, python = peer.partition("=")
            commands[name] = [python, "-c", PEERS[name], "{url}", str(folder / "asked.json")]
        for name, command in commands.items():
            rows.append(measured(name, command, count))
            print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
