"""What the gateway answers about users, keys and the audit log, as plain values (see `types`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a user or a key may use; None sets no limit of its own."""

    requests_per_hour: int | None = None
    tokens_per_minute: int | None = None
    concurrent_turns: int | None = None


@dataclass(frozen=True, slots=True)
class Budgets:
    """What may be spent in a day and a month of UTC, in USD; None is no budget."""

    daily: Decimal | None = None
    monthly: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is listed, never the secret itself; without scopes it may do all its user may."""

    key_id: str
    name: str
    last4: str | None = None
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    created_at: datetime | None = None
    user_id: str | None = None
    limits: Limits | None = None
    budgets: Budgets | None = None


@dataclass(frozen=True, slots=True)
class NewKey(Key):
    """A key just made, with the secret that is shown this once."""

    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How a limit or a budget stands: a count, or money in USD.

    `scope` is user or key; `held` is the most that running calls may still take.
    """

    scope: str
    meter: str
    limit: Decimal | int
    used: Decimal | int
    left: Decimal | int
    held: Decimal | int = 0
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Me:
    """The caller."""

    user_id: str
    name: str
    role: str
    key: Key | None = None
    limits: Limits | None = None
    budgets: Budgets | None = None
    allowances: tuple[Allowance, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """In whose name a call over gRPC is made: base64 of what the gateway has signed.

    A call may begin something with it until `fresh_until`.
    """

    context: str = field(repr=False)
    fresh_until: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class User:
    """A user, as administrators see them."""

    user_id: str
    name: str
    role: str
    disabled: bool = False
    created_at: datetime | None = None
    limits: Limits | None = None
    budgets: Budgets | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what, and what came of it: `done`, `asked`, or the reason of a refusal.

    `actor` is the user's id, None when nobody is known.
    """

    at: datetime
    action: str
    outcome: str
    target: str
    ip: str
    request_id: str
    actor: str | None = None
    key_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
