"""Users, their keys, and what is left of their hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

HOUR_SECONDS = 3600


class Role(StrEnum):
    """What a user may do: a `user` with their own things, an `admin` with everybody's accounts."""

    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who owns chats, prompts and keys."""

    user_id: UUID
    name: str
    role: Role
    disabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it may be shown: everything but its secret."""

    key_id: str
    name: str
    last4: str
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is to be stored: of its secret only the digest."""

    key_id: str
    user_id: UUID
    name: str
    digest: bytes
    last4: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who showed which key."""

    user_id: UUID
    user_name: str
    role: Role
    key_id: str
    key_name: str
    expires_at: datetime | None = None


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
