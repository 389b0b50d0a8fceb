from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.plots import BOTTOM, LEFT, RIGHT, Line, Series, Tally, bar, gauge, histogram, nice_ticks


def tally(values: list[float]) -> Tally:
    counted = Tally()
    counted.add(np.array(values, np.float32))
    return counted


@given(st.lists(st.floats(-1, 1, width=32), max_size=50))
def test_every_finite_value_is_counted_once(values: list[float]) -> None:
    assert tally(values).total == len(values)


def test_nan_is_not_counted_and_what_lies_outside_stands_at_the_edge() -> None:
    counted = tally([float("nan"), -3.0, 1.0, 7.0])
    assert counted.total == 3
    assert counted.counts[0] == 1
    assert counted.counts[-1] == 2


def test_a_value_on_a_bin_edge_falls_into_the_bin_that_starts_there() -> None:
    # 0.6 in float32 is a hair above, 0.7 a hair below; bins of 0.005 from -1.
    for value, place in ((0.6, 320), (0.7, 340), (-0.2, 160)):
        assert np.flatnonzero(tally([value]).counts).tolist() == [place]


def test_stacked_bars_have_heights_that_add_up_to_the_counts() -> None:
    chart = histogram(
        "t", "x", [Series("a", "series-1", tally([0.1, 0.1, 0.1])), Series("b", "series-2", tally([0.1]))], stacked=True
    )
    bars = re.findall(r'<rect class="(series-\d)" x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', chart.svg)
    (first, top_1, high_1), (second, top_2, high_2) = bars
    assert (first, second) == ("series-1", "series-2")
    assert float(high_1) == pytest.approx(3 * float(high_2), abs=0.05)
    assert float(top_1) + float(high_1) == pytest.approx(BOTTOM)
    assert float(top_2) + float(high_2) == pytest.approx(float(top_1), abs=0.02)
    assert chart.legend == (("a", "series-1", 3), ("b", "series-2", 1))


def test_threshold_stands_where_its_value_does() -> None:
    # Values at both ends of 0..1 and a line in the middle of what is drawn.
    svg = histogram("t", "x", [Series("a", "series-1", tally([0.0, 0.999]))], [Line("t+ 0.5", 0.5)]).svg
    x = re.search(r'class="mark" d="M([\d.]+) ', svg)
    assert x is not None
    assert float(x[1]) == pytest.approx((LEFT + RIGHT) / 2, abs=0.5)
    assert "t+ 0.5" in svg


def test_a_threshold_beyond_all_values_is_still_drawn_inside() -> None:
    svg = histogram("t", "x", [Series("a", "series-1", tally([0.1, 0.2]))], [Line("limit", 0.9)]).svg
    x = re.search(r'class="mark" d="M([\d.]+) ', svg)
    assert x is not None
    assert LEFT <= float(x[1]) <= RIGHT


@given(st.lists(st.floats(-1, 1, width=32), max_size=30), st.floats(-1, 1), st.booleans())
def test_any_values_give_parsable_svg_without_nan(values: list[float], line: float, stacked: bool) -> None:
    svg = str(histogram("t", "x", [Series("a", "series-1", tally(values))], [Line("l", line)], stacked=stacked).svg)
    HTMLParser().feed(svg)
    assert "nan" not in svg
    assert "inf" not in svg


def test_names_cannot_act_as_markup() -> None:
    svg = histogram('<t "', "<x>", [Series("<s>", "series-1", tally([0.5]))], [Line("<l>", 0.1)]).svg
    assert not re.search(r"<(t|x|s|l)\b", svg.replace("<text", "").replace("<svg", ""))


@given(st.floats(0.01, 1e6), st.booleans())
def test_ticks_cover_the_range_in_few_steps(high: float, whole: bool) -> None:
    ticks = nice_ticks(0.0, high, 4, whole=whole)
    assert ticks[0] == 0
    assert ticks[-1] >= high * 0.999 - 1e-6
    assert 2 <= len(ticks) <= 6
    assert not whole or all(t == int(t) for t in ticks)


def test_bar_parts_stand_side_by_side() -> None:
    svg = bar([("series-1", 0.75), ("series-2", 0.25)])
    parts = re.findall(r'class="(series-\d)" x="([\d.]+)" y="0.00" width="([\d.]+)"', svg)
    assert parts == [("series-1", "0.00", "75.00"), ("series-2", "75.00", "25.00")]


def test_gauge_of_a_negative_score_is_empty() -> None:
    assert 'width="0.00"' in gauge(-0.4, 0.5, "series-1")
