"""Short names for "made from exactly this": equal fingerprints mean equal results."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any


def fingerprint(**parts: Any) -> str:
    """Hash JSON-able parts and the package version to 16 hex digits; key order does not matter."""
    text = json.dumps({**parts, "version": version("seedmine")}, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_of(*packages: str) -> str:
    """Hash the Python sources of packages: what was made by other code is not "unchanged"."""
    digest = hashlib.sha256()
    for package in packages:
        for source in _sources(files(package)):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _sources(folder: Traversable) -> list[Traversable]:
    entries = sorted(folder.iterdir(), key=lambda e: e.name)
    inner = [p for e in entries if e.is_dir() and e.name != "__pycache__" for p in _sources(e)]
    return [*(e for e in entries if e.name.endswith(".py")), *inner]
