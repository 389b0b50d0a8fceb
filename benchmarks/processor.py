"""CPU time of this process and of those it has started, also while they live (Linux)."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat behind the name: parent; user and system ticks, its own and those of ended children.
_PARENT, _TICKS = 1, slice(11, 15)


def cpu_seconds(process: int | None = None) -> float:
    """User and system seconds of a process (none: this one) and all its descendants, ended ones too; in ticks of
    10 ms."""
    return sum(descendants(process).values()) / _TICKS_A_SECOND


def descendants(process: int | None = None) -> dict[int, int]:
    """A process (none: this one) and all that it has started, with their ticks; none where it has ended."""
    children: dict[int, list[int]] = defaultdict(list)
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since the listing
        children[int(fields[_PARENT])].append(int(entry.name))
        ticks[int(entry.name)] = sum(map(int, fields[_TICKS]))
    found, waiting = dict[int, int](), [os.getpid() if process is None else process]
    while waiting:
        pid = waiting.pop()
        if pid in ticks:
            found[pid] = ticks[pid]
            waiting += children[pid]
    return found
