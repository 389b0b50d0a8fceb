"""Runs a command with all that it starts, and says what they took together (Linux):

    python benchmarks/adopted.py LIMIT_S LOG COMMAND...

Processes that the command leaves behind become children of this one, so that their time counts too. When the command
ends, or after LIMIT_S, whatever is left is killed. Prints one line of JSON: exit code (null when it ran out of
time), wall and processor seconds.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from processor import descendants

PR_SET_CHILD_SUBREAPER = 36


def main(limit_s: float, log: Path, command: list[str]) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this process cannot adopt orphans")
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        code = None
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(limit_s)
    wall_s = time.perf_counter() - began
    while left := set(descendants()) - {os.getpid()}:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"code": code, "wall_s": wall_s, "cpu_s": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
