"""The ledger: the contract → HTTP, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from parley.chat.v1 import chat_pb2
from parley.provider.v1 import usage_pb2
from parley_gateway.api.convert import cost, dollars, instant, usage
from parley_gateway.api.schemas import usage as schemas

# By what sums may be divided: its word in a query → its field in a row, and in the contract.
GROUPS: Mapping[str, tuple[str, usage_pb2.UsageGroup.ValueType]] = {
    "day": ("day", usage_pb2.USAGE_GROUP_DAY),
    "provider": ("provider", usage_pb2.USAGE_GROUP_PROVIDER),
    "model": ("model", usage_pb2.USAGE_GROUP_MODEL),
    "user": ("user_id", usage_pb2.USAGE_GROUP_USER),
    "key": ("key_id", usage_pb2.USAGE_GROUP_KEY),
}
FIGURES = (
    "requests",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
    "cost",
    "currency",
    "unpriced_requests",
    "cache_write_tokens",
    "long_cache_write_tokens",
)
# What a spreadsheet takes for the begin of a formula.
FORMULA = ("=", "+", "@", "-", "\t", "\r", "\n")


def total(summed: usage_pb2.UsageSum) -> dict[str, Any]:
    """Return the figures of a sum, as `UsageTotal` has them."""
    return {
        "requests": summed.requests,
        "input_tokens": summed.input_tokens,
        "output_tokens": summed.output_tokens,
        "cached_input_tokens": summed.cached_input_tokens,
        "reasoning_tokens": summed.reasoning_tokens,
        "cost": schemas.Money(amount=dollars(summed.cost_nano_usd), currency="USD"),
        "unpriced_requests": summed.unpriced_requests,
        "cache_write_tokens": summed.cache_write_tokens,
        "long_cache_write_tokens": summed.long_cache_write_tokens,
    }


def totals(chat: chat_pb2.ChatTotals) -> dict[str, Any]:
    """Return what the messages of a chat used and cost together."""
    return {
        "usage": {
            "input_tokens": chat.input_tokens,
            "output_tokens": chat.output_tokens,
            "cached_input_tokens": chat.cached_input_tokens,
            "reasoning_tokens": chat.reasoning_tokens,
        },
        "cost": {"amount": dollars(chat.cost_nano_usd), "currency": "USD"},
        "unpriced_messages": chat.unpriced_messages,
        "unsettled_messages": chat.unsettled_messages,
    }


def report(answer: usage_pb2.SummarizeUsageResponse, groups: Sequence[str]) -> schemas.UsageReport:
    """Return sums; each row says of `groups` what it is the sum of, and of nothing else."""
    fields = [GROUPS[group][0] for group in groups]
    rows = [
        schemas.UsageRow(**{field: getattr(row, field) for field in fields}, **total(row))
        for row in answer.rows
    ]
    return schemas.UsageReport(rows=rows, total=schemas.UsageTotal(**total(answer.total)))


def table(answer: usage_pb2.SummarizeUsageResponse, groups: Sequence[str]) -> str:
    """Return sums as CSV (RFC 4180): the rows, or the total when they are not divided."""
    fields = [GROUPS[group][0] for group in groups]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*fields, *FIGURES])
    for row in answer.rows if groups else [answer.total]:
        figures = {**total(row), "cost": dollars(row.cost_nano_usd), "currency": "USD"}
        names = [harmless(getattr(row, field)) for field in fields]
        writer.writerow([*names, *(figures[name] for name in FIGURES)])
    return text.getvalue()


def harmless(cell: str) -> str:
    """Keep a spreadsheet from running a cell: a model may be called `=HYPERLINK(…)`."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def record(row: usage_pb2.UsageRecord) -> schemas.UsageRecord:
    """Return one call."""
    return schemas.UsageRecord(
        usage_id=row.usage_id,
        user_id=row.user_id,
        key_id=row.key_id,
        provider=row.provider,
        model=row.model,
        settled=row.settled,
        outcome=row.outcome or None,
        **counted(row),
        started_at=instant(row.started_at),
        settled_at=instant(row.settled_at) if row.HasField("settled_at") else None,
        attempts=[attempt(one) for one in row.attempts],
    )


def attempt(one: usage_pb2.Attempt) -> schemas.Attempt:
    """Return one time that a vendor was asked."""
    return schemas.Attempt(
        provider=one.provider,
        model=one.model,
        outcome=one.outcome,
        **counted(one),
        duration_ms=one.duration_ms,
    )


def counted(of: usage_pb2.UsageRecord | usage_pb2.Attempt) -> dict[str, Any]:
    """Return what was used and what it cost, each null when it is not known."""
    used = usage(of)
    if used is not None:
        used["cache_write_tokens"] = of.usage.cache_write_tokens
        used["long_cache_write_tokens"] = of.usage.long_cache_write_tokens
    return {"usage": used, "cost": cost(of)}
