"""What the core needs from the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from parley_gateway.core.model import (
    Grant,
    Key,
    NewKey,
    Payer,
    Place,
    Role,
    StoredKey,
    User,
)


class KeyStore(Protocol):
    """Keeps the digests of keys. All of it fails with DatabaseUnavailable."""

    async def find(self, key_id: str) -> StoredKey | None:
        """Find a key that is neither revoked nor expired and whose user is not disabled.

        Notes that it was used, at most once a minute.
        """

    async def add(self, key: NewKey) -> Key | None:
        """Store a new key; None when there is no such user."""

    async def page(self, user_id: UUID, after: Place | None, size: int) -> Sequence[Key]:
        """List a user's keys that are not revoked, newest first."""

    async def revoke(self, key_id: str, user_id: UUID | None) -> bool:
        """Revoke a key of this user, of any user when None; False when there is none."""


class UserStore(Protocol):
    """Keeps users. All of it fails with DatabaseUnavailable."""

    async def administrator(self) -> User:
        """Return the first administrator, `admin`; make the row when it is missing."""

    async def add(self, user_id: UUID, name: str, role: Role) -> User | None:
        """Add a user; None when the name is taken."""

    async def page(self, after: Place | None, size: int) -> Sequence[User]:
        """List users, newest first."""


class LimitStore(Protocol):
    """Counts the requests of an hour, for all gateways together."""

    async def spend(self, requests: Mapping[Payer, int]) -> Mapping[Payer, Grant]:
        """Count payers' requests as far as the limits allow; DatabaseUnavailable.

        An hour begins with a subject's first request. What a user's or a key's limit refuses
        counts against neither. Payers differ in the names of their subjects.
        """
