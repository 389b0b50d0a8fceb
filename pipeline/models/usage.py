"""What a VLM's replies cost, carried in a column from the worker that asked to the summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.models.protocols import Usage
from pipeline.schemas import USAGE


def usage_column(usages: Sequence[Usage | None]) -> pa.Array:
    """The column `usage`; null on a row for which nothing was asked."""
    return pa.array([None if u is None else asdict(u) for u in usages], USAGE.type)


def total_usage(column: pa.ChunkedArray | pa.Array) -> Usage:
    """The sum of a column `usage`."""
    sums = {f.name: pc.sum(pc.struct_field(column, f.name)).as_py() or 0 for f in fields(Usage)}
    return Usage(**sums)
