import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import MediaError
from pipeline.media.sandbox import Sandbox


def double(value: Any) -> Any:
    return {"twice": value * 2, "process": os.getpid()}


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def crash(_: object) -> None:
    ctypes.string_at(0)


def leave(code: int) -> None:
    os._exit(code)


def killed_once(folder: str) -> int:
    """As an out-of-memory killer does it to a decoder that is not to blame; the number of the attempt."""
    attempt = len(list(Path(folder).iterdir())) + 1
    Path(folder, str(attempt)).touch()
    if attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return attempt


def counted(argument: dict[str, Any]) -> None:
    """Leave a trace, then hang or die."""
    Path(argument["folder"], str(time.monotonic_ns())).touch()
    if argument["hangs"]:
        time.sleep(600)
    os.abort()


def chatter(text: str) -> str:
    os.write(1, b"native noise on stdout\n")
    return text


def refuse(reason: str) -> None:
    raise MediaError(reason, "as told")


def fill(code: int) -> None:
    raise OSError(code, os.strerror(code), "/cache")


def fail(_: object) -> None:
    raise ValueError("no such luck")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    one = Sandbox()
    yield one
    one.close()


def test_a_call_runs_in_one_other_process(sandbox: Sandbox) -> None:
    first, second = sandbox.call(double, 21, 60), sandbox.call(double, "é\n", 60)
    assert (first["twice"], second["twice"]) == (42, "é\né\n")
    assert first["process"] == second["process"] != os.getpid()


@pytest.mark.parametrize(
    ("function", "argument", "timeout_s", "reason"),
    [
        (sleep, 60, 1.0, "decode_timeout"),
        (crash, None, 60, "decoder_crashed"),
        (leave, 3, 60, "decoder_crashed"),
        (refuse, "truncated", 60, "truncated"),
    ],
)
def test_what_hangs_dies_or_refuses_is_a_media_error_and_the_next_call_works(
    sandbox: Sandbox, function: Any, argument: Any, timeout_s: float, reason: str
) -> None:
    with pytest.raises(MediaError) as caught:
        sandbox.call(function, argument, timeout_s)
    assert caught.value.reason == reason
    assert sandbox.call(double, 1, 60)["twice"] == 2


def test_a_child_that_was_killed_between_calls_is_started_again(sandbox: Sandbox) -> None:
    process = sandbox.call(double, 1, 60)["process"]
    os.kill(process, signal.SIGKILL)
    time.sleep(0.2)
    assert sandbox.call(double, 1, 60)["process"] != process


def test_a_child_that_was_killed_during_a_call_gets_a_second_chance(sandbox: Sandbox, tmp_path: Path) -> None:
    assert sandbox.call(killed_once, str(tmp_path), 60) == 2


@pytest.mark.parametrize(("hangs", "attempts", "reason"), [(False, 2, "decoder_crashed"), (True, 1, "decode_timeout")])
def test_what_dies_twice_is_to_blame_and_what_hangs_is_not_tried_again(
    sandbox: Sandbox, tmp_path: Path, hangs: bool, attempts: int, reason: str
) -> None:
    with pytest.raises(MediaError) as caught:
        sandbox.call(counted, {"folder": str(tmp_path), "hangs": hangs}, 2.0 if hangs else 60.0)
    assert caught.value.reason == reason
    assert len(list(tmp_path.iterdir())) == attempts


def test_noise_of_native_libraries_is_no_answer(sandbox: Sandbox) -> None:
    assert sandbox.call(chatter, "words", 60) == "words"


def test_errors_of_the_machine_and_of_the_code_keep_their_kind(sandbox: Sandbox) -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        sandbox.call(fill, 28, 60)
    assert caught.value.errno == 28
    with pytest.raises(RuntimeError, match="ValueError: no such luck"):
        sandbox.call(fail, None, 60)


def test_a_child_that_hangs_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = (
        "import sys, threading, time\n"
        "from pipeline.media.sandbox import Sandbox\n"
        "from tests.media.test_sandbox import double, sleep\n"
        "box = Sandbox()\n"
        "print(box.call(double, 1, 60)['process'], flush=True)\n"
        "box.call(sleep, 600, 600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not Path(f"/proc/{child}").exists()
