"""The processes in which engines compute."""

from __future__ import annotations

import psutil


def cores() -> list[psutil.Process]:
    """Those of this process and its children, Ray's workers too."""
    return [p for p in psutil.Process().children(recursive=True) if p.is_running() and "EngineCore" in _name(p)]


def _name(process: psutil.Process) -> str:
    try:
        return " ".join([process.name(), *process.cmdline()])
    except psutil.Error:
        return ""
