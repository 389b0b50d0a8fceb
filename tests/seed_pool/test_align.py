"""Which assets go: below a figure or among the lowest percent, of their category or their medium."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import AlignSettings
from pipeline.errors import ConfigError
from pipeline.schemas import ASSETS
from pipeline.seed_pool.align import READS, alignment_limits, check_categories, misaligned, value_at
from pipeline.seed_pool.taxonomy import load_taxonomy

Row = tuple[str, str, float | None]  # media, category, alignment
SCORES = st.lists(st.floats(-1, 1, width=32), max_size=60)


def pool(rows: list[Row]) -> pa.Table:
    named = [dict(zip(READS, row, strict=True)) for row in rows]
    return pa.Table.from_pylist(named, schema=pa.schema([ASSETS.field(n) for n in READS]))


def details(rows: list[Row], **settings: Any) -> list[str | None]:
    """The detail of each row's reject; None for a row that stays."""
    limits = alignment_limits(pool(rows), AlignSettings.model_validate(settings))
    rejected = misaligned(pool(rows), limits).to_pylist()
    assert all(v is None or (v["stage"], v["reason"]) == ("align", "misaligned") for v in rejected)
    return [v and v["detail"] for v in rejected]


def images(*scores: float | None, category: str = "a") -> list[Row]:
    return [("image", category, s) for s in scores]


def test_an_absolute_limit_is_the_lowest_that_stays() -> None:
    assert details(images(0.3, 0.29), min_alignment=0.3) == [
        None,
        "alignment 0.290, limit 0.300 (min_alignment, all image assets)",
    ]


def test_a_percentile_drops_the_lowest_of_each_medium() -> None:
    rows = [*images(0.1, 0.2, 0.3, 0.4, 0.5), *[("video", "v", s / 10) for s in range(6, 11)]]
    found = details(rows, min_percentile=20)
    assert [i for i, d in enumerate(found) if d] == [0, 5]
    assert found[0] == "alignment 0.100, limit 0.200 (min_percentile 20 of 5, all image assets)"


def test_a_percentile_takes_the_place_of_the_figure() -> None:
    assert details(images(-0.5, -0.4), min_alignment=0.3, min_percentile=0) == [None, None]


def test_a_medium_may_have_its_own_limit() -> None:
    rows: list[Row] = [("image", "a", 0.2), ("video", "v", 0.2)]
    found = details(rows, min_alignment=0.3, by_medium={"video": {"min_alignment": 0.1}})
    assert [bool(d) for d in found] == [True, False]


def test_a_category_may_have_its_own_limit() -> None:
    rows = [*images(0.2, 0.5), *images(0.2, 0.5, category="b")]
    found = details(rows, by_category={"image": {"b": {"min_alignment": 0.1}}})
    assert [bool(d) for d in found] == [True, False, False, False]
    own = details(rows, by_category={"image": {"b": {"min_percentile": 50}}}, min_category_assets=2)
    assert own[2] == "alignment 0.200, limit 0.500 (min_percentile 50 of 2, b)"


def test_a_category_with_too_few_assets_falls_back_to_its_medium() -> None:
    rows = [*images(*(0.5,) * 9), *images(0.4, 0.6, category="b")]
    few = details(rows, by_category={"image": {"b": {"min_percentile": 50}}}, min_category_assets=3)
    assert few == [None] * 11
    enough = details(rows, by_category={"image": {"b": {"min_percentile": 50}}}, min_category_assets=2)
    assert [i for i, d in enumerate(enough) if d] == [9]


def test_a_figure_for_a_category_needs_no_number_of_assets() -> None:
    assert details(images(0.4, category="b"), by_category={"image": {"b": {"min_alignment": 0.5}}}) == [
        "alignment 0.400, limit 0.500 (min_alignment, b)"
    ]


def test_equal_scores_share_their_fate() -> None:
    assert details(images(0.2, 0.2, 0.2, 0.9), min_percentile=50) == [None] * 4


def test_a_score_that_is_no_number_is_rejected_and_counts_in_no_percentile() -> None:
    found = details(images(None, float("nan"), 0.1, 0.2), min_percentile=50)
    assert found[0] == "alignment no number, limit 0.200 (min_percentile 50 of 2, all image assets)"
    assert [bool(d) for d in found] == [True, True, True, False]
    assert [bool(d) for d in details(images(None, 0.1), min_alignment=-1)] == [True, False]


def test_an_empty_pool_has_no_limits() -> None:
    assert alignment_limits(pool([]), AlignSettings()) == []
    assert misaligned(pool([]), []).to_pylist() == []


def test_an_unknown_category_is_named_with_the_nearest() -> None:
    taxonomy = load_taxonomy("taxonomy.yaml")
    limit = {"min_alignment": 0.1}
    check_categories(AlignSettings.model_validate({"by_category": {"image": {"Natural/animal": limit}}}), taxonomy)
    for wrong, meant in (
        ("Natural/animl", "Natural/animal"),
        ("animal", "Natural/animal"),
        ("Nature/food", "Natural/f"),
    ):
        with pytest.raises(ConfigError, match=rf"no image category '{wrong}'; did you mean '{meant}"):
            check_categories(AlignSettings.model_validate({"by_category": {"image": {wrong: limit}}}), taxonomy)


@pytest.mark.parametrize("percentile", [0, 0.5, 1, 29, 50, 99.9, 100])
@pytest.mark.parametrize("n", [1, 2, 99, 100, 101])
def test_no_more_than_the_percentage_goes_and_as_many_as_it_allows(percentile: float, n: int) -> None:
    scores = np.linspace(0, 1, n, dtype=np.float32)
    gone = int((scores < value_at(scores, percentile)).sum())
    assert gone <= n * percentile / 100
    assert gone + 1 > n * percentile / 100 or gone == n - 1


@given(SCORES, st.floats(0, 100), st.floats(0, 100), st.randoms())
def test_limits_rise_with_the_percentile_and_do_not_depend_on_order(
    scores: list[float], low: float, high: float, random: Any
) -> None:
    low, high = sorted((low, high))
    values = np.array(scores, np.float32)
    assert value_at(values, low) <= value_at(values, high)
    assert value_at(np.array(random.sample(scores, len(scores)), np.float32), low) == value_at(values, low)
    assert (values < value_at(values, high)).sum() <= len(values) * high / 100 + 1e-9


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(-1, 1, width=32)), min_size=1, max_size=40), st.randoms())
def test_the_verdict_on_an_asset_does_not_depend_on_its_place(rows: list[tuple[str, float]], random: Any) -> None:
    settings = {"min_percentile": 30, "by_category": {"image": {"b": {"min_percentile": 60}}}, "min_category_assets": 5}
    order = random.sample(range(len(rows)), len(rows))
    plain = details([("image", c, s) for c, s in rows], **settings)
    mixed = details([("image", *rows[i]) for i in order], **settings)
    assert [plain[i] for i in order] == mixed
