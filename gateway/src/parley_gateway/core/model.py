"""Users, their keys, and what is left of their hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

HOUR_SECONDS = 3600


class Role(StrEnum):
    """What a user may do: a `user` with their own things, an `admin` with everybody's accounts."""

    USER = "user"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a key may be used for; one without any may do all that its user may.

    `provider:<name>` and `model:<provider>/<model>` beside them say whom it may ask.
    """

    # What only reads.
    READ = "read"
    # Chats and their messages, reading included.
    CHAT = "chat"
    # The user's prompts, reading included.
    PROMPTS = "prompts"
    # The user's keys, reading included.
    KEYS = "keys"
    # What only administrators may do, for administrators.
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Quota:
    """How much a user or a key may use; None sets no limit of its own."""

    requests_per_hour: int | None = None
    tokens_per_minute: int | None = None
    concurrent_turns: int | None = None
    # In nano-dollars, of a calendar day and month in UTC.
    daily_nano_usd: int | None = None
    monthly_nano_usd: int | None = None


NO_QUOTA = Quota()


@dataclass(frozen=True, slots=True)
class Restriction:
    """What a key is for, and how much of it; nothing of either is all that its user may do."""

    scopes: frozenset[str] = frozenset()
    quota: Quota = NO_QUOTA


UNRESTRICTED = Restriction()


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who owns chats, prompts and keys."""

    user_id: UUID
    name: str
    role: Role
    disabled: bool
    created_at: datetime
    quota: Quota = NO_QUOTA


@dataclass(frozen=True, slots=True)
class UserChange:
    """What is to change in a user; None leaves it. In a quota None takes back what is named."""

    name: str | None = None
    role: Role | None = None
    disabled: bool | None = None
    quota: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it may be shown: everything but its secret."""

    key_id: str
    user_id: UUID
    name: str
    last4: str
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    scopes: frozenset[str] = frozenset()
    quota: Quota = NO_QUOTA
    # When another key took its place.
    rotated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is to be stored: of its secret only the digest."""

    key_id: str
    user_id: UUID
    name: str
    digest: bytes
    last4: str
    expires_at: datetime | None
    scopes: frozenset[str] = frozenset()
    quota: Quota = NO_QUOTA


@dataclass(frozen=True, slots=True)
class Identity:
    """Who showed which key."""

    user_id: UUID
    user_name: str
    role: Role
    key_id: str
    key_name: str
    expires_at: datetime | None = None
    # Empty means all that the user may do.
    scopes: frozenset[str] = frozenset()
    user_quota: Quota = NO_QUOTA
    key_quota: Quota = NO_QUOTA


class Rights(NamedTuple):
    """What a valid key still makes of its user."""

    role: Role
    scopes: frozenset[str]


class Ended(NamedTuple):
    """Whose turns are to end: a key's, or all of a user's when no key is named; since when."""

    user_id: UUID
    key_id: str
    seconds_ago: float


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A valid key as the store finds it."""

    digest: bytes
    identity: Identity


class Place(NamedTuple):
    """A place in a list that runs from new to old."""

    created_at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Window:
    """A subject's hour after some requests were counted: how many of them were granted."""

    granted: int
    used: int
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a user's hour after one request, and whether that one was granted."""

    granted: bool
    limit: int
    remaining: int
    seconds_left: float
