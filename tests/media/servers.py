"""Web servers on this machine that behave as badly as a test wants."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Self

Answer = Callable[[socket.socket], None]


def reply(body: bytes = b"", status: str = "200 OK", length: int | None = None, **headers: str) -> Answer:
    """A whole response. length: what it announces, if not the truth."""
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n{''.join(lines)}\r\n"
    return lambda to: to.sendall(head.encode() + body)


def redirect(target: str) -> Answer:
    return reply(status="302 Found", Location=target)


def raw(data: bytes) -> Answer:
    """Bytes as they are, and the end."""
    return lambda to: to.sendall(data)


def chunked(blocks: list[bytes]) -> Answer:
    """A response that does not say how long it is."""
    parts = b"".join(f"{len(b):x}\r\n".encode() + b + b"\r\n" for b in [*blocks, b""])
    return raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts)


def dripping(head: bytes, drop: bytes = b"x") -> Answer:
    """`head`, then a drop at a time, without end: no read of it ever times out."""

    def answer(to: socket.socket) -> None:
        to.sendall(head)
        while True:
            to.sendall(drop)
            time.sleep(0.02)

    return answer


def silent(head: bytes = b"") -> Answer:
    """`head`, then nothing until the client goes away."""

    def answer(to: socket.socket) -> None:
        to.sendall(head)
        to.recv(1)

    return answer


def reset(head: bytes = b"") -> Answer:
    """`head`, then the connection is cut hard."""

    def answer(to: socket.socket) -> None:
        to.sendall(head)
        time.sleep(0.05)  # so that the head arrives before the cut
        to.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        to.close()

    return answer


def in_turn(*answers: Answer) -> Answer:
    """One after the other; the last one again and again."""
    left = list(answers)

    def answer(to: socket.socket) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(to)

    return answer


class _Handler(socketserver.StreamRequestHandler):
    server: Web

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the client may leave at any time
            first = self.rfile.readline(65536).decode("latin-1").split(" ")
            while self.rfile.readline(65536).strip():
                pass
            if len(first) < 2:
                return
            self.server.asked.append(first[1])
            answers = self.server.answers
            answer = answers.get(f"{first[0]} {first[1]}") or answers.get(first[1]) or reply(status="404 Not Found")
            answer(self.connection)

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()


class Web(socketserver.ThreadingTCPServer):
    """Answers by path, or by method and path (`HEAD /x`), until the block ends.

    tls: makes it speak HTTPS. mute: it accepts connections and says nothing.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, tls: ssl.SSLContext | None = None, mute: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.tls, self.mute = tls, mute
        self.connections: list[socket.socket] = []
        self.port = int(self.server_address[1])
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        self.connections.append(request)
        if not self.mute:
            super().process_request(request, client_address)  # type: ignore[arg-type]

    def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        if self.tls is None:
            super().finish_request(request, client_address)  # type: ignore[arg-type]
            return
        with contextlib.suppress(OSError), self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)  # type: ignore[arg-type]

    def url(self, path: str = "/") -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.port}{path}"

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        for connection in self.connections:  # so that no drip outlives the test
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
