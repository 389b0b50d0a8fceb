"""Decoding functions that die, for the decoding process to import."""

import os
import time
from pathlib import Path
from typing import Any

from pipeline.seed_pool import probe, scenes


def segments_of(argument: dict[str, Any]) -> Any:
    name = argument["row"]["uri"]
    if name.startswith("crash"):
        os.abort()
    if name.startswith("hang"):
        time.sleep(600)
    return scenes.segments_of(argument)


def described(argument: dict[str, Any]) -> Any:
    if Path(argument["place"][0]).name.startswith("crash"):
        os.abort()
    return probe.described(argument)
