"""What asking a VLM takes: the options that limit it, and the table that shows it, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.config import VlmSettings
from pipeline.errors import UsageError
from pipeline.models.protocols import Usage
from pipeline.models.spending import Budget, Meter, cost

MaxTokensOption = Annotated[
    int | None,
    typer.Option("--max-tokens", min=1, help="Stop when the VLM has used so many tokens; a rerun goes on."),
]
MaxCostOption = Annotated[
    float | None,
    typer.Option("--max-cost", min=0, help="Stop when so much is spent, by vlm.prices; a rerun goes on."),
]
MaxHoursOption = Annotated[
    float | None, typer.Option("--max-hours", min=0, help="Stop after so many hours; a rerun goes on.")
]


HEADINGS = ("", "requests", "from cache", "input tokens", "of them pixels", "output tokens", "cost", "GPU hours")


@dataclass(frozen=True)
class Line:
    """One line of the table: what was or would be asked, and what it takes."""

    what: str
    usage: Usage
    visual_tokens: int | None = None  # of the input tokens; None where the server does not tell
    gpu_hours: float | None = None


def meter_of(tokens: int | None, money: float | None, hours: float | None, vlm: VlmSettings) -> Meter:
    """The meter that the options ask for. Raises UsageError where --max-cost has no prices to go by."""
    if money is not None and cost(Usage(), vlm.prices) is None:
        raise UsageError("--max-cost needs to know vlm.prices.input_per_million and vlm.prices.output_per_million")
    return Meter(Budget(tokens, money, hours), vlm.prices, vlm.max_refused_share)


def print_spending(title: str, lines: Sequence[Line], vlm: VlmSettings) -> None:
    """A line each and the sum; a dash stands for what is not known."""
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading else "left")
    for line in [*lines, _sum(lines)] if len(lines) > 1 else lines:
        money = cost(line.usage, vlm.prices)
        table.add_row(
            line.what,
            f"{line.usage.requests:,}",
            f"{line.usage.cached:,}",
            f"{line.usage.input_tokens:,}",
            "-" if line.visual_tokens is None else f"{line.visual_tokens:,}",
            f"{line.usage.output_tokens:,}",
            "-" if money is None else f"{money:,.2f} {vlm.prices.currency}",
            "-" if line.gpu_hours is None else f"{line.gpu_hours:,.2f}",
        )
    Console().print(table)


def _sum(lines: Sequence[Line]) -> Line:
    usage = Usage()
    for line in lines:
        usage += line.usage
    pixels = [line.visual_tokens for line in lines]
    hours = [line.gpu_hours for line in lines]
    return Line(
        "all",
        usage,
        None if None in pixels else sum(p or 0 for p in pixels),
        None if None in hours else sum(h or 0.0 for h in hours),
    )
