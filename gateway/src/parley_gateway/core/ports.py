"""What the core needs from the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from parley_gateway.core.entries import NOWHERE, Entry, EntryFilter, Whence, WrittenEntry
from parley_gateway.core.model import (
    Ended,
    Key,
    NewKey,
    Place,
    Rights,
    Role,
    StoredKey,
    User,
    UserChange,
    Window,
)


class KeyStore(Protocol):
    """Keeps the digests of keys. All of it fails with DatabaseUnavailable.

    What is changed and its entry in the audit log are written together, or neither is.
    """

    async def find(self, key_id: str, digest: bytes, whence: Whence = NOWHERE) -> StoredKey | None:
        """Find a key that is neither revoked nor expired and whose user is not disabled.

        When the digest is its own, notes that it was used, at most once a minute; and in the
        audit log when it was not for an hour.
        """

    async def get(self, key_id: str, user_id: UUID | None) -> Key | None:
        """Return a key of this user, of any user when None, that is not revoked."""

    async def add(self, key: NewKey, entry: Entry) -> Key | None:
        """Store a new key; None when there is no such user."""

    async def rotate(
        self, key_id: str, successor: NewKey, overlap_seconds: int, entry: Entry
    ) -> Key | None:
        """Store a key's successor, and let the old one end after the overlap, at once when 0.

        None when it is revoked, expired or rotated already.
        """

    async def page(self, user_id: UUID, after: Place | None, size: int) -> Sequence[Key]:
        """List a user's keys that are not revoked, newest first."""

    async def revoke(self, key_id: str, user_id: UUID | None, entry: Entry) -> UUID | None:
        """Revoke a key of this user, of any user when None; return whose it was, if there is."""

    async def rights(self, key_ids: Sequence[str]) -> Mapping[str, Rights]:
        """Return what those of the keys that are still valid make of their users."""

    async def ended(self, within_seconds: float) -> Sequence[Ended]:
        """Return the keys that ended of late, and the users who may do less than before."""


class UserStore(Protocol):
    """Keeps users. All of it fails with DatabaseUnavailable."""

    async def administrator(self) -> User:
        """Return the first administrator, `admin`; make the row when it is missing."""

    async def add(self, user_id: UUID, name: str, role: Role, entry: Entry) -> User | None:
        """Add a user, and the entry in the audit log; None when the name is taken."""

    async def get(self, user_id: UUID) -> User | None:
        """Return a user."""

    async def change(self, user_id: UUID, change: UserChange, entry: Entry) -> User | None:
        """Change a user, and write the entry with it; None when there is no such user.

        UserExists.
        """

    async def page(self, after: Place | None, size: int) -> Sequence[User]:
        """List users, newest first."""


class AuditStore(Protocol):
    """Keeps the audit log, to which things are only ever added; DatabaseUnavailable."""

    async def write(self, entries: Sequence[Entry]) -> None:
        """Add entries."""

    async def page(
        self, asked: EntryFilter, after: Place | None, size: int
    ) -> Sequence[WrittenEntry]:
        """List entries, newest first."""


class LimitStore(Protocol):
    """Counts the requests of an hour, for all gateways together."""

    async def spend(self, requests: Mapping[str, int], limit: int) -> Mapping[str, Window]:
        """Count each subject's requests as far as the limit allows; DatabaseUnavailable.

        An hour begins with a subject's first request. What is refused does not count.
        """


class Turns(Protocol):
    """The turns that somebody's keys began, wherever they run."""

    async def stop(self, user_id: UUID, key_id: str) -> None:
        """Stop those of a key, or all of the user's when none is named; Unavailable and others."""
