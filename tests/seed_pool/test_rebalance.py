"""Rebalancing depends on asset ids and seed, on nothing else."""

from collections import Counter
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import RebalanceSettings
from pipeline.seed_pool.rebalance import rebalance


def kept(rows: list[tuple[str, str]], quota: int, seed: int = 0, enabled: bool = True) -> set[str]:
    ids, categories = [r[0] for r in rows], [r[1] for r in rows]
    table = pa.table({"asset_id": ids, "media": ["image"] * len(rows), "category": categories})
    found = rebalance(table, RebalanceSettings(enabled=enabled, max_per_category=quota), seed).to_pylist()
    return {i for i, v in zip(ids, found, strict=True) if v is None}


POOLS = st.lists(st.tuples(st.uuids().map(str), st.sampled_from("abc")), unique_by=lambda r: r[0], max_size=40)


def test_off_keeps_everything() -> None:
    assert kept([("1", "a"), ("2", "a")], 1, enabled=False) == {"1", "2"}


def test_the_detail_names_count_and_quota() -> None:
    table = pa.table({"asset_id": ["1", "2"], "media": ["image"] * 2, "category": ["Natural/animal"] * 2})
    found = rebalance(table, RebalanceSettings(enabled=True, max_per_category=1), 0).to_pylist()
    reject = next(v for v in found if v)
    assert (reject["reason"], reject["detail"]) == ("over_quota", "2 image assets of Natural/animal, quota 1")


@given(POOLS, st.integers(1, 10), st.randoms())
def test_quota_is_kept_and_order_does_not_matter(rows: list[tuple[str, str]], quota: int, random: Any) -> None:
    survivors = kept(rows, quota)
    assert survivors == kept(random.sample(rows, len(rows)), quota)
    total, left = Counter(c for _, c in rows), Counter(c for i, c in rows if i in survivors)
    assert left == Counter({c: min(n, quota) for c, n in total.items()})


@given(POOLS, st.integers(1, 10))
def test_a_larger_quota_keeps_what_a_smaller_one_kept(rows: list[tuple[str, str]], quota: int) -> None:
    assert kept(rows, quota) <= kept(rows, quota + 1)
