"""A chat-completions server on this machine that answers as a test wants, and counts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

Body = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: Body
    at: float


class Wire:
    """What an answer may do with its connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Cut the connection hard."""
        held: socket.socket = self.writer.get_extra_info("socket")
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Answer = Callable[[Wire], Awaitable[None]]
Decide = Callable[[Asked], Answer]


def http(body: bytes, status: int = 200, **headers: str) -> Answer:
    """A whole response."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
    return lambda wire: wire.send(head.encode() + body)


def chat(content: str | None, finish_reason: str | None = "stop", **message: Any) -> Answer:
    """A chat completion with one choice."""
    said = {"role": "assistant", "content": content, **message}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    choice = {"index": 0, "message": said, "finish_reason": finish_reason}
    return http(json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode())


def error(status: int, message: str = "no", code: str | None = None, **headers: str) -> Answer:
    """An error as OpenAI's servers word it."""
    return http(json.dumps({"error": {"message": message, "code": code}}).encode(), status, **headers)


def cut(head: bytes = b"") -> Answer:
    """`head`, then the connection is reset."""

    async def answer(wire: Wire) -> None:
        if head:
            await wire.send(head)
        wire.reset()

    return answer


async def stall(wire: Wire) -> None:
    """Nothing, until the client or the server has had enough."""
    await asyncio.sleep(3600)


async def drip(wire: Wire) -> None:
    """A space now and then: no read of it ever times out."""
    await wire.send(b"HTTP/1.1 200 Said\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        await wire.send(b" ")
        await asyncio.sleep(0.02)


async def _gone(reader: asyncio.StreamReader) -> None:
    """Until the client has closed its end."""
    while not reader.at_eof() and reader.exception() is None:
        await asyncio.sleep(0.02)


def prompt_of(asked: Asked) -> str:
    """All text of a request."""
    parts = asked.body["messages"][0]["content"]
    return "\n".join(part["text"] for part in parts if part["type"] == "text")


@dataclass
class ChatServer:
    """Serves /v1/chat/completions by `decide`, called in order of arrival, and /v1/models, until the block ends.

    most: requests in flight at once. closing it resets what is open, and nobody listens any more.
    """

    decide: Decide
    asked: list[Asked] = field(default_factory=list)
    most: int = 0
    in_flight: int = 0

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    close = __exit__

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)

    async def _end(self) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while not writer.is_closing():
                    await self._one(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._open.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines if line)}
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            data = await reader.readexactly(int(headers.get("content-length", 0)))
            path = first.split(" ")[1]
            if path == "/v1/models":
                await http(json.dumps({"data": [{"id": "served"}, {"id": "other"}]}).encode())(Wire(writer))
                return
            asked = Asked(path, headers, json.loads(data), time.monotonic())
            self.asked.append(asked)
            # Whoever goes away is noticed, also by an answer that waits.
            answering = asyncio.ensure_future(self.decide(asked)(Wire(writer)))
            leaving = asyncio.ensure_future(_gone(reader))
            try:
                await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if answering.done():
                    await answering
                else:
                    writer.transport.abort()
            finally:
                answering.cancel()
                leaving.cancel()
                await asyncio.gather(answering, leaving, return_exceptions=True)
        finally:
            self.in_flight -= 1
