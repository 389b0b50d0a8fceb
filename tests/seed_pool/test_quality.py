"""Coarse quality: size and shape."""

import pyarrow as pa
import pytest

from pipeline.config import QualitySettings
from pipeline.seed_pool.quality import judge_quality

LIMITS = QualitySettings(min_width_px=200, min_height_px=100, min_pixels=20_000, max_aspect_ratio=3.0)


@pytest.mark.parametrize(
    ("size", "reject"),
    [
        ((200, 100), None),
        ((199, 100), ("low_resolution", "199 x 100 px, limit 200 x 100 px")),
        ((200, 99), ("low_resolution", "200 x 99 px, limit 200 x 100 px")),
        ((300, 100), None),
        ((201, 99), ("low_resolution", "201 x 99 px, limit 200 x 100 px")),
        ((301, 100), ("irregular_aspect_ratio", "aspect ratio 3.01, limit 3")),
        ((200, 601), ("irregular_aspect_ratio", "aspect ratio 3.00, limit 3")),
    ],
)
def test_limits_are_inclusive_and_the_detail_has_measure_and_limit(
    size: tuple[int, int], reject: tuple[str, str] | None
) -> None:
    table = pa.table({"width_px": [size[0]], "height_px": [size[1]]})
    found = judge_quality(table, LIMITS).column("reject")[0].as_py()
    assert (found and (found["reason"], found["detail"])) == reject


def test_pixels_are_counted_as_well_as_sides() -> None:
    table = pa.table({"width_px": [200, 200], "height_px": [150, 151]})
    limits = QualitySettings(min_width_px=100, min_height_px=100, min_pixels=30_001)
    small, large = judge_quality(table, limits).column("reject").to_pylist()
    assert (small["reason"], small["detail"]) == ("too_few_pixels", "200 x 150 is 30000 pixels, limit 30001")
    assert large is None
