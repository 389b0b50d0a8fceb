"""Rows of somebody's files that cannot be used, gathered for `<out>/datasets/<name>/rejected`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipeline.schemas import DATASET_REJECTED

STAGE = "read"


@dataclass
class Rejects:
    """Tables of DATASET_REJECTED."""

    tables: list[pa.Table] = field(default_factory=lambda: [DATASET_REJECTED.empty_table()])

    def add(
        self, part: str, ids: pa.ChunkedArray, rows: pa.Table, reason: str | None = None, detail: Any = None
    ) -> None:
        """Reject `rows` (column `where`; `reason` and `detail` unless they are given).

        part: queries | corpus | relevance. ids: string [N]. detail: string [N].
        """
        n = len(rows)
        columns = {
            "part": pa.array([part] * n, pa.string()),
            "id": ids,
            "place": rows.column("where"),
            "stage": pa.array([STAGE] * n, pa.string()),
            "reason": rows.column("reason") if reason is None else pa.array([reason] * n, pa.string()),
            "detail": rows.column("detail") if detail is None else detail,
        }
        if n:
            self.tables.append(pa.table(columns).cast(DATASET_REJECTED))

    def table(self) -> pa.Table:
        """All of them, in the order in which they came."""
        return pa.concat_tables(self.tables)

    def counts(self) -> dict[str, dict[str, int]]:
        """Their number by part and reason."""
        found: dict[str, Counter[str]] = {}
        for table in self.tables:
            for part, reason in zip(table.column("part").to_pylist(), table.column("reason").to_pylist(), strict=True):
                found.setdefault(part, Counter())[reason] += 1
        return {part: dict(sorted(c.items())) for part, c in found.items()}
