"""What the gateway answers about usage, as plain values (see `types`)."""

from dataclasses import dataclass
from datetime import datetime

from parley_client.types import Cost, Usage


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """What calls that have ended took together; `cost` is that of those whose price is known."""

    requests: int
    input_tokens: int
    output_tokens: int
    cost: Cost
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    unpriced_requests: int = 0
    cache_write_tokens: int = 0
    long_cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class UsageRow(UsageTotal):
    """One sum; what it was not divided by is None."""

    day: str | None = None
    provider: str | None = None
    model: str | None = None
    user_id: str | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Sums in the order of what they are divided by, and the sum of all."""

    rows: tuple[UsageRow, ...]
    total: UsageTotal


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that a vendor was asked for a reply."""

    provider: str
    model: str
    outcome: str
    usage: Usage | None = None
    cost: Cost | None = None
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One call in the ledger; `outcome` is None while it runs, `attempts` empty for one attempt."""

    usage_id: str
    user_id: str
    key_id: str
    provider: str
    model: str
    settled: bool
    started_at: datetime
    settled_at: datetime | None = None
    outcome: str | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    attempts: tuple[Attempt, ...] = ()
