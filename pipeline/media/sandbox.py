"""Decodes strangers' files in a child process: it may hang, crash or be killed, and the batch goes on.

The parent sends one JSON line a call and reads one back; nothing that a child says is ever unpickled.
Run as a module, this file is the child.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pipeline.errors import MediaError

_PARENT_CHECK_S = 2.0
_START_S = 120.0
_READ_BYTES = 1 << 16


class _DiedError(Exception):
    """The child is dead; says of what."""


class Sandbox:
    """A child that is started when first needed, and again after it died."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def call(self, function: Callable[[Any], Any], argument: Any, timeout_s: float) -> Any:
        """`function(argument)` in the child: a module's function, with a JSON-able argument and result.

        A child that dies may have been killed for another's sake (by the system, short of memory), so a second one
        tries before the argument gets the blame. Raises MediaError as the function does, decode_timeout when it
        takes longer than `timeout_s`, decoder_crashed when both children die; OSError of the machine as the function
        does; RuntimeError for any other error.
        """
        try:
            return self._tried(function, argument, timeout_s)
        except _DiedError:
            pass
        try:
            return self._tried(function, argument, timeout_s)
        except _DiedError as died:
            raise MediaError("decoder_crashed", f"the decoding process died twice ({died})") from None

    def _tried(self, function: Callable[[Any], Any], argument: Any, timeout_s: float) -> Any:
        named = {"module": function.__module__, "function": function.__qualname__}
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = _started()
            self._ask({**named, "function": None}, _START_S)  # imports take seconds, and are no file's fault
        return _result(json.loads(self._ask({**named, "argument": argument}, timeout_s)))

    def _ask(self, request: dict[str, Any], timeout_s: float) -> bytes:
        """The child's answer. Raises MediaError decode_timeout, and _DiedError."""
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise RuntimeError("the decoding process has no pipes")
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
            answer = _line(child.stdout.fileno(), time.monotonic() + timeout_s)
        except BrokenPipeError:
            answer = b""
        except TimeoutError:
            self.close()
            raise MediaError("decode_timeout", f"more than {timeout_s:g} s") from None
        if not answer:
            code = child.wait()
            self.close()
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            raise _DiedError(how)
        return answer

    def close(self) -> None:
        """End the child, whatever it does."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    pipe.close()
            self._child = None


@lru_cache(maxsize=1)
def decoder() -> Sandbox:
    """The sandbox of this process; its child ends with the process."""
    sandbox = Sandbox()
    atexit.register(sandbox.close)
    return sandbox


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.media.sandbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def _line(descriptor: int, deadline: float) -> bytes:
    """The next line; empty when the child closed its end. Raises TimeoutError."""
    data = bytearray()
    while not data.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        part = os.read(descriptor, _READ_BYTES)
        if not part:
            return b""
        data += part
    return bytes(data)


def _result(answer: dict[str, Any]) -> Any:
    if "media_error" in answer:
        raise MediaError(*answer["media_error"])
    if "os_error" in answer:
        raise OSError(*answer["os_error"])
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["result"]


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        module = importlib.import_module(request["module"])
        name = request["function"]
        return {"result": None if name is None else getattr(module, name)(request["argument"])}
    except MediaError as error:
        return {"media_error": [error.reason, error.detail]}
    except OSError as error:
        return {"os_error": [error.errno, error.strerror or str(error), str(error.filename or "")]}
    except Exception as error:  # noqa: BLE001 - the parent decides what it means for the row
        return {"error": f"{type(error).__name__}: {error}"}


def _end_with_parent(parent: int) -> None:
    """A child that hangs in a decoder must not outlive a parent that was killed."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_S)
    os._exit(1)


def _serve() -> None:
    # Native libraries write to the descriptor of stdout: answers get one of their own.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
        for line in sys.stdin.buffer:
            answers.write(json.dumps(_answer(json.loads(line))).encode() + b"\n")
            answers.flush()


if __name__ == "__main__":
    _serve()
