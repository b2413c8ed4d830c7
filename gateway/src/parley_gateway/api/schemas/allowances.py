"""What is left of limits and budgets, over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

Meter = Literal[
    "requests_per_hour", "tokens_per_minute", "concurrent_turns", "daily_cost", "monthly_cost"
]
# A count; of money a decimal string, in USD.
Figure = int | str


class Allowance(BaseModel):
    """How a limit or a budget stands; money in USD, as decimal strings."""

    scope: Annotated[Literal["user", "key"], Field(description="Whose it is.")]
    meter: Meter
    limit: Figure
    used: Annotated[Figure, Field(description="What calls that have ended took.")]
    held: Annotated[Figure, Field(description="The most that running calls may still take.")]
    left: Figure
    resets_at: Annotated[
        datetime | None, Field(description="When all of it is there again; null without a window.")
    ]
