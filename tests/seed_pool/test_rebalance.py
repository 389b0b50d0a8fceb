"""Who stays in a full category depends on asset ids and seed, on nothing else."""

from collections import Counter
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.schemas import ASSETS
from pipeline.seed_pool.quotas import Quota
from pipeline.seed_pool.rebalance import READS, rebalance, supply

Row = tuple[str, str, str]  # asset_id, media, category


def pool(rows: list[Row]) -> pa.Table:
    names = [dict(zip(READS, row, strict=True)) for row in rows]
    return pa.Table.from_pylist(names, schema=pa.schema([ASSETS.field(n) for n in READS]))


def kept(rows: list[Row], limits: dict[tuple[str, str], int], seed: int = 0) -> set[str]:
    had = supply(pool(rows))
    quotas = [Quota(m, c, had[m, c], q, None) for (m, c), q in limits.items() if (m, c) in had]
    found = rebalance(pool(rows), quotas, seed).to_pylist()
    return {row[0] for row, verdict in zip(rows, found, strict=True) if verdict is None}


POOLS = st.lists(
    st.tuples(st.uuids().map(str), st.sampled_from(["image", "video"]), st.sampled_from("abc")),
    unique_by=lambda r: r[0],
    max_size=40,
)
LIMITS = st.dictionaries(
    st.tuples(st.sampled_from(["image", "video"]), st.sampled_from("abc")), st.integers(0, 10), max_size=6
)


def test_the_detail_names_category_supply_and_quota() -> None:
    rows = [(i, "image", "Natural/animal") for i in "123"]
    by_count = rebalance(pool(rows), [Quota("image", "Natural/animal", 3, 2, None)], 0).to_pylist()
    (reject,) = [v for v in by_count if v]
    assert reject == {
        "stage": "rebalance",
        "reason": "over_quota",
        "detail": "Natural/animal: 3 image assets, quota 2",
    }
    by_share = rebalance(pool(rows), [Quota("image", "Natural/animal", 3, 0, 0.036)], 0).to_pylist()
    assert {v["detail"] for v in by_share} == {"Natural/animal: 3 image assets, quota 0 (3.6 % of the target)"}


def test_who_stays_is_the_same_in_every_version() -> None:
    rows = [(f"asset-{i}", "image", "a") for i in range(6)]
    assert kept(rows, {("image", "a"): 3}, seed=0) == {"asset-2", "asset-3", "asset-5"}
    assert kept(rows, {("image", "a"): 3}, seed=1) != kept(rows, {("image", "a"): 3}, seed=0)


def test_without_quotas_everything_stays() -> None:
    assert kept([("1", "image", "a"), ("2", "video", "b")], {}) == {"1", "2"}


def test_an_empty_pool_has_no_verdicts() -> None:
    assert rebalance(pool([]), [Quota("image", "a", 0, 0, None)], 0).to_pylist() == []
    assert supply(pool([])) == {}


@given(POOLS)
def test_supply_counts_every_asset_once(rows: list[Row]) -> None:
    assert supply(pool(rows)) == Counter((m, c) for _, m, c in rows)


@given(POOLS, LIMITS, st.integers(0, 3), st.randoms())
def test_no_category_exceeds_its_quota_and_order_does_not_matter(
    rows: list[Row], limits: dict[tuple[str, str], int], seed: int, random: Any
) -> None:
    survivors = kept(rows, limits, seed)
    assert survivors == kept(random.sample(rows, len(rows)), limits, seed)
    total = Counter((m, c) for _, m, c in rows)
    left = Counter((m, c) for i, m, c in rows if i in survivors)
    assert left == Counter({place: min(n, limits.get(place, n)) for place, n in total.items()})


@given(POOLS, LIMITS)
def test_a_larger_quota_keeps_what_a_smaller_one_kept(rows: list[Row], limits: dict[tuple[str, str], int]) -> None:
    assert kept(rows, limits) <= kept(rows, {place: q + 1 for place, q in limits.items()})


@given(POOLS, st.integers(0, 5))
def test_other_categories_do_not_change_who_stays(rows: list[Row], quota: int) -> None:
    limits = {("image", "a"): quota}
    alone = kept([r for r in rows if r[1:] == ("image", "a")], limits)
    assert alone == {i for i in kept(rows, limits) if (i, "image", "a") in rows}
