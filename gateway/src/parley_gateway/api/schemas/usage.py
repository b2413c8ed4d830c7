"""The ledger over HTTP: sums, and single rows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from parley_gateway.api import examples
from parley_gateway.api.schemas.chats import Cost, Usage
from parley_gateway.api.schemas.fields import Page, example


class Money(BaseModel):
    """An amount of money."""

    amount: Annotated[str, Field(description="A decimal number.")]
    currency: Literal["USD"] = "USD"


Writes = Annotated[int, Field(description="Input tokens that vendors wrote to their caches.")]
LongWrites = Annotated[int, Field(description="Those of them that are kept long.")]


class LedgerUsage(Usage):
    """The tokens of a call."""

    cache_write_tokens: Writes
    long_cache_write_tokens: LongWrites


class UsageTotal(BaseModel):
    """What calls that have ended took and cost together."""

    requests: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    cost: Annotated[Money, Field(description="Of the calls whose price is known.")]
    unpriced_requests: Annotated[
        int, Field(description="Calls that used tokens at an unknown price, so no cost tells them.")
    ]
    cache_write_tokens: Writes
    long_cache_write_tokens: LongWrites


class UsageGroups(BaseModel):
    """What a sum is the sum of: of these only those that were asked for."""

    day: Annotated[str | None, Field(description="In UTC, such as `2027-01-31`.")] = None
    provider: str | None = None
    model: str | None = None
    user_id: str | None = None
    key_id: str | None = None


class UsageRow(UsageTotal, UsageGroups):
    """One sum."""


class UsageReport(BaseModel):
    """Sums in the order of what they are divided by, and the sum of all."""

    model_config = example(examples.USAGE_REPORT)

    rows: list[UsageRow]
    total: UsageTotal


class Attempt(BaseModel):
    """One time that a vendor was asked for a reply."""

    provider: str
    model: str
    outcome: str
    usage: LedgerUsage | None
    cost: Cost | None
    duration_ms: int


class UsageRecord(BaseModel):
    """One call, as the ledger has it."""

    usage_id: str
    user_id: str
    key_id: str
    provider: Annotated[str, Field(description="Who was asked last.")]
    model: str
    settled: Annotated[bool, Field(description="Whether it has ended; figures are final then.")]
    outcome: Annotated[
        str | None,
        Field(description="A finish reason, a failure's reason, `stopped` or `interrupted`."),
    ]
    usage: LedgerUsage | None
    cost: Annotated[Cost | None, Field(description="Null when the price is unknown.")]
    started_at: datetime
    settled_at: datetime | None
    attempts: Annotated[
        list[Attempt], Field(description="Each time a vendor was asked; none when it was once.")
    ]


class UsageRecordPage(Page):
    """Calls, newest first."""

    model_config = example(examples.USAGE_RECORD_PAGE)

    records: list[UsageRecord]
