"""VLMs that count what they are asked, and the requests to ask them."""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from pipeline.models.fake import FakeVlm
from pipeline.models.protocols import Pixels, Reply, Request, Usage

SCHEMA = {"type": "object", "properties": {"said": {"type": "string", "maxLength": 60}}}


def request(name: str, seed: int = 7, asset_ids: tuple[str, ...] | None = None) -> Request:
    pixels = Pixels((b"frame of " + name.encode(),), (0.0,), video=False)
    return Request(f"What is {name}?", (pixels,), (f"a-{name}",) if asset_ids is None else asset_ids, seed)


class Asked:
    """Answers all at once; keeps what it was asked."""

    fingerprint = "asked"
    cost = Usage(requests=1, input_tokens=100, output_tokens=10)

    def __init__(self, finish_reason: str = "stop") -> None:
        self.finish_reason = finish_reason
        self.asked: list[Request] = []

    def generate(self, requests: Sequence[Request], schema: dict[str, Any]) -> list[Reply]:
        self.asked += requests
        return [Reply(f"{r.prompt} seed {r.seed} {r.asset_ids}", self.finish_reason, self.cost) for r in requests]


class OneByOne(Asked):
    """Hands over reply by reply, the last first; `dies` with an error after so many."""

    def __init__(self, dies: int | None = None, error: Exception | None = None) -> None:
        super().__init__()
        self.dies, self.error = dies, error

    def stream(self, requests: Sequence[Request], schema: dict[str, Any]) -> Iterator[tuple[int, Reply]]:
        for i in reversed(range(len(requests))):
            if self.error is not None and len(self.asked) == self.dies:
                raise self.error
            (reply,) = self.generate(requests[i : i + 1], schema)
            yield i, reply


class Slow:
    """A VLM with `window` requests in flight; writes a line to `calls` when it is asked, so that a kill shows."""

    fingerprint = "slow"

    def __init__(self, calls: Path, window: int, reply_s: float) -> None:
        self.calls, self.window, self.reply_s = calls, window, reply_s

    def generate(self, requests: Sequence[Request], schema: dict[str, Any]) -> list[Reply]:
        replies = dict(self.stream(requests, schema))
        return [replies[i] for i in range(len(requests))]

    def stream(self, requests: Sequence[Request], schema: dict[str, Any]) -> Iterator[tuple[int, Reply]]:
        in_flight: dict[Future[Reply], int] = {}
        todo = iter(enumerate(requests))
        with ThreadPoolExecutor(self.window) as pool:
            while True:
                while len(in_flight) < self.window and (following := next(todo, None)) is not None:
                    in_flight[pool.submit(self._reply, following[1], schema)] = following[0]
                if not in_flight:
                    return
                done, _ = wait(in_flight, return_when=FIRST_COMPLETED)
                future = next(iter(done))
                yield in_flight[future], future.result()
                del in_flight[future]

    def _reply(self, request: Request, schema: dict[str, Any]) -> Reply:
        name = hashlib.sha256(f"{request.prompt}{request.seed}".encode()).hexdigest()
        file = os.open(self.calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"{name}\n".encode())
        os.close(file)
        time.sleep(self.reply_s)
        return FakeVlm().generate([request], schema)[0]
