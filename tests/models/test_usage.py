"""What replies cost is summed over rows, whoever was asked."""

import pyarrow as pa

from pipeline.models.protocols import Usage
from pipeline.models.usage import total_usage, usage_column


def test_rows_are_summed_and_a_row_that_nothing_was_asked_for_costs_nothing():
    column = usage_column([Usage(1, 0, 10, 5), None, Usage(2, 1, 20, 7)])
    assert column.null_count == 1
    assert total_usage(column) == Usage(3, 1, 30, 12)


def test_no_rows_cost_nothing():
    assert total_usage(usage_column([])) == Usage()
    assert total_usage(pa.chunked_array([usage_column([None])])) == Usage()
