"""Category-wise rebalancing of what is left (PAPER 3.2, step 5): two passes over narrow columns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.seed_pool.quotas import Quota
from pipeline.stage import shared_rejects

NAME = "rebalance"
READS = ("asset_id", "media", "category")
_LOT_BYTES = 16


def supply(pool: pa.Table) -> dict[tuple[str, str], int]:
    """The first pass: assets by (medium, category), in the order of names. pool: the columns of READS."""
    counted = pool.select(["media", "category"]).group_by(["media", "category"]).aggregate([([], "count_all")])
    return dict(sorted(((r["media"], r["category"]), int(r["count_all"])) for r in counted.to_pylist()))


def rebalance(pool: pa.Table, quotas: Sequence[Quota], seed: int) -> pa.Array:
    """The second pass: the `reject` column; assets above their category's quota are `over_quota`.

    pool: the columns of READS. Every asset draws a lot, the hash of seed and asset id, and of each
    category those with the smallest lots stay. So who stays depends on ids and seed alone, never
    on the order of rows or on how they were computed, and a larger quota keeps all that a
    smaller one kept. Categories without a quota are kept whole.
    """
    full = [q for q in quotas if q.supply > q.quota]
    which = np.full(len(pool), -1, dtype=np.int64)
    for number, quota in enumerate(full):
        mine = pc.and_(pc.equal(pool.column("media"), quota.media), pc.equal(pool.column("category"), quota.category))
        rows = np.flatnonzero(pc.fill_null(mine, False).to_numpy(zero_copy_only=False))
        ids = pool.column("asset_id").take(pa.array(rows)).to_pylist()
        which[rows[_by_lot(ids, seed)[quota.quota :]]] = number
    return shared_rejects(NAME, [("over_quota", _detail(quota)) for quota in full], which)


def _by_lot(ids: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Positions in the order of their lots: 128 bits of BLAKE2b over the id, keyed by the seed."""
    keyed = hashlib.blake2b(digest_size=_LOT_BYTES, key=str(seed).encode())
    lots = bytearray()
    for asset_id in ids:
        lot = keyed.copy()
        lot.update(asset_id.encode())
        lots += lot.digest()
    halves = np.frombuffer(bytes(lots), dtype=">u8").reshape(-1, 2)
    return np.asarray(np.lexsort((halves[:, 1], halves[:, 0])), np.int64)


def _detail(quota: Quota) -> str:
    share = "" if quota.share is None else f" ({100 * quota.share:.1f} % of the target)"
    return f"{quota.category}: {quota.supply} {quota.media} assets, quota {quota.quota}{share}"
