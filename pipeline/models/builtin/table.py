"""Reads `imagenet.json`, the table that `make_class_table.py` wrote."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def rows(key: str) -> list[dict[str, Any]]:
    """The rows of `classes` (by class id) or `concepts`."""
    text = (files("pipeline.models.builtin") / "imagenet.json").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(text)[key]
    return found
