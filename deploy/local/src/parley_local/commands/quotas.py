"""Limits and budgets as options of a command; `""` takes one back."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import typer
from parley_client import Budgets, Limits

from parley_local.commands.models import dollars


@dataclass(frozen=True, slots=True)
class Figure:
    """A limit or a budget that was said; None takes it back."""

    value: int | Decimal | None


def count(text: str) -> Figure:
    """Reads a limit."""
    if not text:
        return Figure(None)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise typer.BadParameter(f"{text!r} is no whole number above 0.")
    return Figure(int(text))


def amount(text: str) -> Figure:
    """Reads a budget."""
    return Figure(dollars(text) if text else None)


AskedRequests = Annotated[
    Figure | None,
    typer.Option("--requests-per-hour", parser=count, metavar="N", help="Of all kinds."),
]
AskedTokens = Annotated[
    Figure | None,
    typer.Option("--tokens-per-minute", parser=count, metavar="N", help="Given and made."),
]
AskedTurns = Annotated[
    Figure | None,
    typer.Option("--concurrent-turns", parser=count, metavar="N", help="Replies at once."),
]
AskedDaily = Annotated[
    Figure | None,
    typer.Option("--daily-budget", parser=amount, metavar="USD", help="Of a day in UTC."),
]
AskedMonthly = Annotated[
    Figure | None,
    typer.Option("--monthly-budget", parser=amount, metavar="USD", help="Of a month in UTC."),
]


def said(**figures: Figure | None) -> dict[str, Any] | None:
    """What was said of limits or budgets, by their names; None when nothing was."""
    return {name: one.value for name, one in figures.items() if one is not None} or None


def in_words(limits: Limits | None, budgets: Budgets | None) -> str:
    """Limits and budgets for people; nothing when there are none."""
    known = limits or Limits()
    spent = budgets or Budgets()
    words = (
        (known.requests_per_hour, "requests/h"),
        (known.tokens_per_minute, "tokens/min"),
        (known.concurrent_turns, "at once"),
        (spent.daily, "USD/day"),
        (spent.monthly, "USD/month"),
    )
    return ", ".join(
        f"{value:f} {unit}" if isinstance(value, Decimal) else f"{value:,} {unit}"
        for value, unit in words
        if value is not None
    )
