"""What may be asked of the ledger: which of its rows, and their sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which rows of the ledger; None keeps all."""

    owner_id: UUID | None = None
    provider: str | None = None
    model: str | None = None
    key_id: str | None = None
    # Of when the call began; the later one is left out.
    since: datetime | None = None
    until: datetime | None = None


class UsageGroup(StrEnum):
    """What sums of the ledger may be divided by."""

    DAY = "day"
    PROVIDER = "provider"
    MODEL = "model"
    USER = "user"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class UsageSum:
    """One sum of the ledger; what it is not divided by is empty."""

    day: date | None = None
    provider: str = ""
    model: str = ""
    owner_id: UUID | None = None
    key_id: str = ""
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano_usd: int = 0
    unpriced_requests: int = 0
    cache_write_tokens: int = 0
    long_cache_write_tokens: int = 0
