"""Short names for "made from exactly this": equal fingerprints mean equal results."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from typing import Any


def fingerprint(**parts: Any) -> str:
    """Hash JSON-able parts and the package version to 16 hex digits; key order does not matter."""
    text = json.dumps({**parts, "version": version("seedmine")}, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
