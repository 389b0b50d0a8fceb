"""Ends what waits for a network too long, whatever it waits for."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pipeline.errors import MediaError

T = TypeVar("T")


class Deadline:
    """A point in time at which the connection in use is cut: a server that sends a byte a second, in its headers
    or its handshake, never times out by itself."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._end = time.monotonic() + limit_s
        self._lock = threading.Lock()
        self._held: socket.socket | None = None
        self._timer = threading.Timer(limit_s, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self.hold(None)

    @property
    def left_s(self) -> float:
        """Seconds that are left, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def check(self) -> None:
        """Raise MediaError fetch_timeout when it has passed."""
        if not self.left_s:
            raise MediaError("fetch_timeout", f"not done after max_fetch_s {self.limit_s:g} s")

    def hold(self, connection: socket.socket | None) -> None:
        """Watch over `connection`, in the place of the one before. TLS may wrap it: a second handle is kept."""
        with self._lock:
            if self._held is not None:
                self._held.close()
            self._held = None if connection is None else connection.dup()
        if connection is not None and not self.left_s:
            self._cut()

    def _cut(self) -> None:
        with self._lock, contextlib.suppress(OSError):  # the other side may have closed it
            if self._held is not None:
                self._held.shutdown(socket.SHUT_RDWR)


def within(left_s: float, call: Callable[[], T], limit_s: float) -> T:
    """What `call` gives or raises; after `left_s` it is left to itself, for a native library cannot be stopped.

    (What it still does then may make the process wait for it at its end.)
    Raises MediaError fetch_timeout, which names the limit `limit_s`.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001  # raised again below, in the thread that asked
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(max(0.0, left_s))
    if errors:
        raise errors[0]
    if not results:
        raise MediaError("fetch_timeout", f"not done after max_fetch_s {limit_s:g} s")
    return results[0]
