"""What callers may use: how each allowance stands, and what is said when not enough is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from parley_rpc.faults import Fault, LimitExceeded

from parley_provider_service.core.faults import BudgetExceeded

# When a place among the replies at once is free again, nobody knows.
TURN_SECONDS = 1.0
MINUTE_SECONDS = 60
NANO = Decimal(10) ** 9


class Meter(StrEnum):
    """What an allowance limits, and over which time."""

    # Money in a calendar day and month in UTC, in nano-dollars.
    DAILY_COST = "daily_cost"
    MONTHLY_COST = "monthly_cost"
    # Tokens, given and made, in a minute of the clock.
    TOKENS_PER_MINUTE = "tokens_per_minute"
    # Replies that are made at the same time.
    CONCURRENT_TURNS = "concurrent_turns"


PERIODS = {Meter.DAILY_COST: "day", Meter.MONTHLY_COST: "month"}


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much a user or a key may use, in the unit of the meter."""

    # `user:<user_id>` or `key:<key_id>`.
    scope: str
    meter: Meter
    limit: int

    @property
    def whose(self) -> str:
        """Whether it is a user's or a key's."""
        return self.scope.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Share:
    """What one call holds of an allowance: the most that it may use of it."""

    allowance: Allowance
    amount: int


@dataclass(frozen=True, slots=True)
class Balance:
    """How an allowance stands in its present window."""

    allowance: Allowance
    used: int = 0
    held: int = 0
    # None when it has no window.
    resets_at: datetime | None = None
    # By the clock that counts the windows.
    seconds_left: float = 0.0

    @property
    def left(self) -> int:
        """What nobody has used or holds."""
        return max(0, self.allowance.limit - self.used - self.held)


class Exhausted(Exception):  # noqa: N818  (no failure yet: less may do)
    """Of these allowances less is left than was asked for."""

    def __init__(self, balances: Sequence[Balance]) -> None:
        super().__init__("Not enough is left.")
        self.balances = balances


def refusal(balances: Sequence[Balance]) -> Fault:
    """Return what a caller is told: of what is not enough, whatever resets last.

    So whoever comes back then is not told of another one.
    """
    worst = max(balances, key=lambda one: (one.allowance.meter in PERIODS, one.seconds_left))
    allowance = worst.allowance
    if allowance.meter in PERIODS:
        return budget_exceeded(worst)
    if allowance.meter is Meter.TOKENS_PER_MINUTE:
        return LimitExceeded(
            f"The {allowance.whose}'s limit of {allowance.limit} tokens per minute is reached.",
            retry_after=worst.seconds_left,
            scope=allowance.whose,
            meter=allowance.meter.value,
            limit=allowance.limit,
            left=worst.left,
            window=MINUTE_SECONDS,
        )
    return LimitExceeded(
        f"The {allowance.whose} has {allowance.limit} replies made at once, which is the limit.",
        retry_after=TURN_SECONDS,
        scope=allowance.whose,
        meter=allowance.meter.value,
        limit=allowance.limit,
        left=worst.left,
    )


def budget_exceeded(balance: Balance) -> Fault:
    """Say which budget it is, what is left of it and when it resets."""
    allowance, resets_at = balance.allowance, balance.resets_at
    period = PERIODS[allowance.meter]
    left, limit = dollars(balance.left), dollars(allowance.limit)
    when = resets_at.astimezone(UTC).isoformat().replace("+00:00", "Z") if resets_at else ""
    return BudgetExceeded(
        f"Of the {allowance.whose}'s budget of {limit} USD per {period} {left} USD is left, which "
        f"is not enough for this; it resets at {when}.",
        scope=allowance.whose,
        period=period,
        limit=limit,
        used=dollars(balance.used),
        held=dollars(balance.held),
        left=left,
        currency="USD",
        resets_at=when,
    )


def dollars(nano_usd: int) -> str:
    """Write an amount as a decimal number."""
    return f"{(Decimal(nano_usd) / NANO).normalize():f}"
