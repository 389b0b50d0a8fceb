"""From a target and the supply to whole numbers: shares, totals, and what a category with too few means."""

from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import RebalanceSettings
from pipeline.config_file import load_config
from pipeline.errors import ConfigError
from pipeline.seed_pool.quotas import QWEN3_VL, Quota, largest_total, overlap, quotas, rounded, targets
from pipeline.seed_pool.taxonomy import Category, Taxonomy, load_taxonomy

SHIPPED = load_taxonomy("taxonomy.yaml")
SMALL = Taxonomy(
    image={g: {n: Category(describe=n) for n in names} for g, names in (("G", "abc"), ("H", "d"))},
    video={"V": {"v": Category(describe="v")}},
)


def settings(**values: object) -> RebalanceSettings:
    return RebalanceSettings.model_validate(values)


def found(supply: dict[str, int], **values: object) -> dict[str, int]:
    """Quota by image category of SMALL."""
    chosen = settings(**values)
    had = {("image", name): n for name, n in supply.items()}
    return {q.category: q.quota for q in quotas(had, targets(chosen, SMALL), chosen)}


def exact(weights: list[int]) -> np.ndarray:
    return np.array(weights, dtype=np.float64) / sum(weights)


SUPPLIES = st.lists(st.integers(1, 500), min_size=1, max_size=8)
WEIGHTS = st.lists(st.integers(0, 30), min_size=1, max_size=8).filter(any)


def test_none_has_no_quotas() -> None:
    assert found({"G/a": 5}) == {}


def test_cap_gives_every_category_the_same_limit() -> None:
    assert found({"G/a": 5, "G/b": 1}, target="cap", max_per_category=2) == {"G/a": 2, "G/b": 2}


def test_uniform_gives_equal_shares_of_the_total() -> None:
    supply = {"G/a": 50, "G/b": 50, "G/c": 50, "H/d": 50}
    assert set(found(supply, target="uniform", total=40).values()) == {10}


def test_the_preset_is_the_papers_and_covers_the_shipped_taxonomy() -> None:
    wanted = targets(settings(target="qwen3-vl"), SHIPPED)
    for media in ("image", "video"):
        assert set(wanted[media].numbers) == set(QWEN3_VL[media]) == set(SHIPPED.of(media))
        assert sum(wanted[media].numbers.values()) == pytest.approx(1)
        assert sum(QWEN3_VL[media].values()) == pytest.approx(100, abs=0.3)
    assert wanted["video"].numbers["Human-centric/daily activity"] == pytest.approx(30.4 / 99.8)


def test_the_preset_refuses_a_category_it_does_not_know() -> None:
    with pytest.raises(ConfigError, match="qwen3-vl, which has no share for the image category 'G/a'"):
        targets(settings(target="qwen3-vl"), SMALL)


def test_with_enough_of_everything_the_shares_are_reached() -> None:
    names = list(SHIPPED.of("image"))
    chosen = settings(target="qwen3-vl", total=1000)
    rows = quotas({("image", n): 1000 for n in names}, targets(chosen, SHIPPED), chosen)
    assert sum(q.kept for q in rows) == 1000
    for q in rows:
        assert q.kept == pytest.approx(1000 * QWEN3_VL["image"][q.category] / 100.1, abs=1)


def test_a_category_with_too_few_keeps_what_it_has_and_nobody_gets_more() -> None:
    supply = {"G/a": 3, "G/b": 50, "G/c": 50, "H/d": 50}
    chosen = settings(target="uniform", total=40)
    rows = quotas({("image", n): k for n, k in supply.items()}, targets(chosen, SMALL), chosen)
    assert [(q.category, q.kept) for q in rows] == [("G/a", 3), ("G/b", 10), ("G/c", 10), ("H/d", 10)]


def test_the_share_of_a_category_without_assets_goes_to_the_others() -> None:
    shares = {"G/a": 2, "G/b": 1, "G/c": 1, "H/d": 4}
    assert found({"G/a": 9, "G/b": 9, "G/c": 9}, target="shares", quotas={"image": shares}, total=8) == {
        "G/a": 4,
        "G/b": 2,
        "G/c": 2,
    }


def test_full_overlap_is_set_by_the_rarest_category() -> None:
    supply = {"G/a": 4, "G/b": 100, "G/c": 100, "H/d": 100}
    assert set(found(supply, target="uniform", min_overlap=1).values()) == {4}


def test_a_group_shares_what_its_named_categories_leave() -> None:
    quotas_ = {"image": {"G": 60, "G/a": 40, "H": 40}}
    supply = dict.fromkeys(("G/a", "G/b", "G/c", "H/d"), 999)
    assert found(supply, target="shares", quotas=quotas_, total=100) == {"G/a": 40, "G/b": 10, "G/c": 10, "H/d": 40}
    counts = {"image": {"G": 7, "G/c": 2}}
    assert found(supply, target="counts", quotas=counts) == {"G/a": 3, "G/b": 2, "G/c": 2}


def test_counts_limit_what_they_name_and_nothing_else() -> None:
    assert found({"G/a": 5, "G/b": 5}, target="counts", quotas={"image": {"G/a": 0}}) == {"G/a": 0}


def test_a_medium_that_is_not_named_is_kept_whole() -> None:
    chosen = settings(target="shares", quotas={"image": {"G": 1, "H": 1}})
    rows = quotas({("video", "V/v"): 9}, targets(chosen, SMALL), chosen)
    assert rows == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"G/aa": 1}, "has no image category 'G/aa'; did you mean 'G/a'?"),
        ({"g": 1, "H": 1}, "has no image category 'g'; did you mean 'G'?"),
        ({"G": 1}, "gives 'H/d' no share (1 such categories); name it or its group, with 0 to drop it"),
        ({"G": 0, "H": 0}, "sums to 0"),
        ({"G": 10, "G/a": 11, "H": 1}, "G has 10, its categories 11"),
        ({"G": 10, "G/a": 1, "G/b": 1, "G/c": 1, "H": 1}, "G has 10, its categories 3"),
    ],
)
def test_shares_that_do_not_fit_the_tree_are_named(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        targets(settings(target="shares", quotas={"image": values}), SMALL)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("seed_pool.rebalance.target=shares", "targets shares and counts need it"),
        ("seed_pool.rebalance.quotas={image: {Natural: 1}}", "target is none and quotas is"),
        ("seed_pool.rebalance={target: counts, quotas: {image: {Natural: 1.5}}}", "counts are whole numbers"),
        ("seed_pool.rebalance={target: shares, quotas: {image: {Natural: -1}}}", "greater than or equal to 0"),
        ("seed_pool.rebalance={target: shares, quotas: {audio: {Natural: 1}}}", "'image' or 'video'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(None, [assignment])
    assert message in str(error.value)


def test_rounding_by_hand() -> None:
    assert rounded(exact([1, 1, 1]), 4).tolist() == [2, 1, 1]
    assert rounded(exact([50, 30, 20]), 7).tolist() == [4, 2, 1]  # .5/50 .5/30 .5/20 1.5/50 2.5/50 1.5/30 3.5/50
    assert rounded(exact([1, 0]), 3).tolist() == [3, 0]
    assert rounded(np.zeros(2), 3).tolist() == [0, 0]


def seats(weights: list[int], total: int) -> list[int]:
    """Webster's method one asset at a time, in exact fractions."""
    result = [0] * len(weights)
    for _ in range(total):
        waiting = [(Fraction(2 * k + 1, w), i) for i, (k, w) in enumerate(zip(result, weights, strict=True)) if w]
        result[min(waiting)[1]] += 1
    return result


@given(WEIGHTS, st.integers(0, 200))
def test_rounding_gives_the_total_near_the_shares_and_is_monotone(weights: list[int], total: int) -> None:
    shares = exact(weights)
    one, more = rounded(shares, total), rounded(shares, total + 1)
    assert one.sum() == total
    assert (one <= more).all()
    plain = seats(weights, total)
    # Equal quotients may be told apart by the last bit: then the same number goes to another of the tied.
    assert sorted(one / np.maximum(weights, 1)) == pytest.approx(sorted(plain / np.maximum(weights, 1)), abs=1)
    assert np.abs(one - shares * total).max() <= len(weights) / 2 + 1e-9


def agreement(supply: list[int], weights: list[int], total: Fraction) -> Fraction:
    """The overlap with the target in exact fractions."""
    shares = [Fraction(w, sum(weights)) for w in weights]
    kept = [min(Fraction(n), s * total) for n, s in zip(supply, shares, strict=True)]
    whole = sum(kept)
    return sum((min(k / whole, s) for k, s in zip(kept, shares, strict=True)), Fraction(0))


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 30)), min_size=1, max_size=6), st.floats(0.3, 1))
def test_the_largest_total_agrees_and_one_more_does_not(pairs: list[tuple[int, int]], min_overlap: float) -> None:
    supply, weights = [p[0] for p in pairs], [p[1] for p in pairs]
    total = largest_total(np.array(supply), exact(weights), min_overlap)
    everything = max(Fraction(n * sum(weights), w) for n, w in pairs)
    if total >= everything:
        assert agreement(supply, weights, everything) >= min_overlap - 1e-9
    else:
        rarest = min(Fraction(n * sum(weights), w) for n, w in pairs)
        if total >= 1 and total <= rarest:
            assert agreement(supply, weights, Fraction(total)) == 1
        assert agreement(supply, weights, Fraction(total)) >= min_overlap - 1e-9
        assert agreement(supply, weights, Fraction(total + 1)) < min_overlap + 1e-9


@given(SUPPLIES, st.floats(0.3, 0.98))
def test_less_overlap_never_keeps_less(supply: list[int], min_overlap: float) -> None:
    shares = np.full(len(supply), 1 / len(supply))
    strict = largest_total(np.array(supply), shares, min_overlap + 0.02)
    loose = largest_total(np.array(supply), shares, min_overlap)
    assert strict <= loose
    assert (rounded(shares, strict) <= rounded(shares, loose)).all()


@given(st.lists(st.integers(0, 400), min_size=4, max_size=4), st.sampled_from(["uniform", "shares"]), st.data())
def test_quotas_never_exceed_a_total_and_reach_it_when_supply_allows(
    supply: list[int], target: str, data: st.DataObject
) -> None:
    total = data.draw(st.integers(1, 300))
    chosen = settings(
        target=target, total=total, quotas={"image": {"G": 3, "G/b": 0, "H": 1}} if target == "shares" else {}
    )
    names = list(SMALL.of("image"))
    had = {("image", n): k for n, k in zip(names, supply, strict=True)}
    rows = quotas(had, targets(chosen, SMALL), chosen)
    assert {q.category for q in rows} == {n for n, k in zip(names, supply, strict=True) if k}
    kept = sum(q.kept for q in rows)
    assert kept <= total
    wanted = [q for q in rows if q.share]
    if wanted and all(q.supply >= ceil(q.quota) for q in wanted):
        assert kept == total
        reached = overlap(np.array([q.kept for q in rows]), np.array([q.share for q in rows]))
        assert reached >= 1 - len(rows) / 2 / total - 1e-9


@given(SUPPLIES, st.floats(0.5, 1))
def test_rounding_costs_a_small_pool_little_of_its_overlap(supply: list[int], min_overlap: float) -> None:
    shares = np.full(len(supply), 1 / len(supply))
    quota = rounded(shares, largest_total(np.array(supply), shares, min_overlap))
    kept = np.minimum(supply, quota)
    assert overlap(kept, shares) >= min_overlap - len(supply) / kept.sum()


def test_overlap_of_nothing_is_zero() -> None:
    assert overlap(np.array([0, 0]), np.array([0.5, 0.5])) == 0
    assert overlap(np.array([3, 1]), np.array([0.5, 0.5])) == pytest.approx(0.75)


def test_kept_is_the_smaller_of_supply_and_quota() -> None:
    assert (Quota("image", "a", 3, 5, None).kept, Quota("image", "a", 5, 3, None).kept) == (3, 3)
