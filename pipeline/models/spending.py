"""What a run may spend on a VLM, what it has spent, and what that costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import PriceSettings
from pipeline.errors import ModelError, SeedmineError
from pipeline.models.protocols import Usage
from pipeline.models.replies import REFUSALS
from pipeline.models.usage import total_usage
from pipeline.schemas import USAGE

_MILLION = 1_000_000
_SURE_AFTER = 100  # answered rows: fewer say little about the share that is refused


class BudgetSpentError(SeedmineError):
    """A run used what it was given. What is done is kept; the same command goes on."""


@dataclass(frozen=True)
class Budget:
    """Limits of one run; None means none. Replies that are under way when a limit is reached come on top."""

    max_tokens: int | None = None  # input and output together
    max_cost: float | None = None  # in the currency of the prices
    max_hours: float | None = None  # of the clock on the wall


def cost(usage: Usage, prices: PriceSettings) -> float | None:
    """What tokens cost; None while a price is not known."""
    if prices.input_per_million is None or prices.output_per_million is None:
        return None
    dear = usage.input_tokens * prices.input_per_million + usage.output_tokens * prices.output_per_million
    return dear / _MILLION


class Meter:
    """Sees the rows of a run as they come and stops it in time.

    Call it with each batch: rows with `reject` and, where a VLM was asked, `usage`. Raises
    BudgetSpentError when a limit of the budget is reached, ModelError when more than
    `max_refused_share` (0..1) of the answered rows were refused for their reply.
    """

    def __init__(
        self,
        budget: Budget,
        prices: PriceSettings,
        max_refused_share: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget, self._prices, self._max_refused_share = budget, prices, max_refused_share
        self._clock, self._began = clock, clock()
        self._answered = self._refused = 0
        self.usage = Usage()

    def __call__(self, rows: pa.Table) -> None:
        if USAGE.name in rows.column_names:
            asked = rows.filter(pc.is_valid(rows.column(USAGE.name)))
            self.usage += total_usage(asked.column(USAGE.name))
            reasons = pc.struct_field(asked.column("reject"), "reason")
            self._answered += len(asked)
            self._refused += pc.sum(pc.is_in(reasons, pa.array(list(REFUSALS)))).as_py() or 0
        self._check_replies()
        self._check_budget()

    def _check_replies(self) -> None:
        if self._answered >= _SURE_AFTER and self._refused > self._max_refused_share * self._answered:
            raise ModelError(
                f"{self._refused} of {self._answered} replies are of no use, limit {self._max_refused_share:g} of them "
                "(vlm.max_refused_share): look at the reasons and replies in a small run, e.g. with --max-tokens, "
                "and start anew with --overwrite; what was answered comes again until `synth cache --prune`"
            )

    def _check_budget(self) -> None:
        budget, hours = self._budget, (self._clock() - self._began) / 3600
        tokens = self.usage.input_tokens + self.usage.output_tokens
        spent = cost(self.usage, self._prices)
        if budget.max_tokens is not None and tokens >= budget.max_tokens:
            raise _spent(f"{tokens:,} tokens are used, --max-tokens is {budget.max_tokens:,}")
        if budget.max_cost is not None and spent is not None and spent >= budget.max_cost:
            raise _spent(f"{spent:,.2f} {self._prices.currency} are spent, --max-cost is {budget.max_cost:,.2f}")
        if budget.max_hours is not None and hours >= budget.max_hours:
            raise _spent(f"{hours:.2f} hours have passed, --max-hours is {budget.max_hours:g}")


def _spent(what: str) -> BudgetSpentError:
    return BudgetSpentError(f"stopped: {what}; nothing is lost, the same command goes on from here")
