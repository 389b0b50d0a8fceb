"""A run stops where it was told to, and not before."""

import pyarrow as pa
import pytest

from pipeline.config import PriceSettings
from pipeline.errors import ModelError
from pipeline.models.protocols import Usage
from pipeline.models.spending import Budget, BudgetSpentError, Meter, cost
from pipeline.models.usage import usage_column
from pipeline.stage import rejects

PRICES = PriceSettings(input_per_million=2.0, output_per_million=10.0, currency="EUR")
NO_LIMIT = Budget()


def rows(*usages, refused=()):
    verdicts = [("empty_reply", "") if i in refused else None for i in range(len(usages))]
    return pa.table({"usage": usage_column(usages), "reject": rejects("annotate", verdicts)})


def meter(budget=NO_LIMIT, share=0.5, clock=lambda: 0.0):
    return Meter(budget, PRICES, share, clock)


def test_tokens_cost_what_the_prices_say():
    assert cost(Usage(1, 0, 500_000, 100_000), PRICES) == pytest.approx(2.0)
    assert cost(Usage(1, 0, 500_000, 100_000), PriceSettings(input_per_million=2.0)) is None


def test_tokens_are_summed_until_the_limit():
    sees = meter(Budget(max_tokens=100))
    sees(rows(Usage(1, 0, 40, 9), None))
    sees(rows(Usage(1, 0, 40, 10)))
    with pytest.raises(BudgetSpentError, match="stopped: 100 tokens are used, --max-tokens is 100; nothing is lost"):
        sees(rows(Usage(1, 0, 1, 0)))
    assert sees.usage == Usage(3, 0, 81, 19)


def test_money_is_counted_by_the_prices():
    sees = meter(Budget(max_cost=2.0))
    sees(rows(Usage(1, 0, 500_000, 99_000)))
    with pytest.raises(BudgetSpentError, match=r"2.00 EUR are spent, --max-cost is 2.00"):
        sees(rows(Usage(1, 0, 0, 1_000)))


def test_hours_are_those_since_the_meter_began_also_where_no_vlm_is_asked():
    now = iter([1000.0, 4599.0, 4600.0])
    sees = meter(Budget(max_hours=1), clock=lambda: next(now))
    batch = rows().select(["reject"])
    sees(batch)
    with pytest.raises(BudgetSpentError, match=r"1.00 hours have passed"):
        sees(batch)


def test_replies_of_no_use_stop_the_run_once_a_hundred_are_known():
    sees = meter(share=0.1)
    sees(rows(*[Usage(1)] * 99, refused=range(99)))
    sees_well = meter(share=0.1)
    sees_well(rows(*[Usage(1)] * 100, refused=range(10)))
    with pytest.raises(ModelError, match=r"100 of 101 replies are of no use, limit 0.1 of them"):
        sees(rows(Usage(1), Usage(1), refused=[0]))


def test_rejects_that_are_not_about_replies_do_not_count():
    sees = meter(share=0.0)
    table = rows(*[Usage(1)] * 200)
    other = rejects("check", [("answer_in_question", "")] * 200)
    sees(table.set_column(1, "reject", other))
