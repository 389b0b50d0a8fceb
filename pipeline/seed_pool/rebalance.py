"""Category-wise rebalancing of what is left (PAPER 3.2, step 5)."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import pyarrow as pa

from pipeline.config import RebalanceSettings
from pipeline.stage import rejects

NAME = "rebalance"
READS = ("asset_id", "media", "category")


def rebalance(pool: pa.Table, settings: RebalanceSettings, seed: int) -> pa.Array:
    """Return the `reject` column: assets above their category's quota are `over_quota`.

    pool: the columns of READS. Which assets stay depends on asset ids and seed alone,
    never on the order or number of rows: those whose hash is smallest.
    """
    verdicts: list[tuple[str, str] | None] = [None] * len(pool)
    if settings.enabled:
        members: dict[tuple[str, str], list[tuple[bytes, int]]] = defaultdict(list)
        for i, row in enumerate(pool.select(list(READS)).to_pylist()):
            lot = hashlib.sha256(f"{seed}|{row['asset_id']}".encode()).digest()
            members[row["media"], row["category"]].append((lot, i))
        quota = settings.max_per_category
        for (media, category), lots in members.items():
            for _, i in sorted(lots)[quota:]:
                verdicts[i] = ("over_quota", f"{len(lots)} {media} assets of {category}, quota {quota}")
    return rejects(NAME, verdicts)
