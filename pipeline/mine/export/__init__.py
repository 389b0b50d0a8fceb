"""Training rows in the formats of trainers: one file a format, named in FORMATS."""

from __future__ import annotations

from types import MappingProxyType

from pipeline.mine.export import ms_swift
from pipeline.mine.export.format import Format

FORMATS = MappingProxyType({f.name: f for f in (ms_swift.FORMAT,)})
__all__ = ["FORMATS", "Format"]
