"""Users and their keys: who may make, change and end them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from parley_rpc.faults import InvalidArgument
from uuid_utils.compat import uuid7

from parley_gateway.core.entries import NOWHERE, Whence, made_by
from parley_gateway.core.faults import (
    KeyNotFound,
    KeyRotated,
    LastAdministrator,
    UserExists,
    UserNotFound,
)
from parley_gateway.core.keys import Keyring, is_key_id, new_token
from parley_gateway.core.model import (
    UNRESTRICTED,
    Identity,
    Key,
    NewKey,
    Place,
    Restriction,
    Role,
    User,
    UserChange,
)
from parley_gateway.core.ports import KeyStore, UserStore
from parley_gateway.core.scopes import acting_role, require_admin, require_may_make
from parley_gateway.core.streams import Streams

LAST = 4
# The administrator's first key has no row: it stands in the settings.
FIRST_KEY = "admin"


class Accounts:
    """The use cases around users and keys, each in somebody's name."""

    def __init__(
        self, users: UserStore, keys: KeyStore, keyring: Keyring, streams: Streams
    ) -> None:
        self.users = users
        self.keys = keys
        self.keyring = keyring
        self.streams = streams

    async def prepare(self) -> None:
        """Make the administrator's row and let the first key in; DatabaseUnavailable."""
        user = await self.users.administrator()
        self.keyring.administrator = Identity(
            user.user_id,
            user.name,
            user.role,
            key_id=FIRST_KEY,
            key_name=FIRST_KEY,
            user_quota=user.quota,
        )

    async def add_user(self, by: Identity, name: str, role: Role, whence: Whence = NOWHERE) -> User:
        """Add a user; PermissionDenied, UserExists."""
        require_admin(by)
        user_id = uuid7()
        entry = made_by(by, "create_user", str(user_id), whence, name=name, role=role)
        user = await self.users.add(user_id, name, role, entry)
        if user is None:
            raise UserExists(name)
        return user

    async def list_users(self, by: Identity, after: Place | None, size: int) -> Sequence[User]:
        """List users, newest first; PermissionDenied."""
        require_admin(by)
        return await self.users.page(after, size)

    async def get_user(self, by: Identity, user_id: UUID) -> User:
        """Return a user; PermissionDenied, UserNotFound."""
        require_admin(by)
        user = await self.users.get(user_id)
        if user is None:
            raise UserNotFound(str(user_id))
        return user

    async def change_user(
        self, by: Identity, user_id: UUID, change: UserChange, whence: Whence = NOWHERE
    ) -> User:
        """Change a user; who may do less than before does so at once.

        PermissionDenied, UserNotFound, UserExists, LastAdministrator, InvalidArgument.
        """
        require_admin(by)
        self._keep_the_first(user_id, change)
        entry = made_by(by, "update_user", str(user_id), whence, **told(change))
        user = await self.users.change(user_id, change, entry)
        if user is None:
            raise UserNotFound(str(user_id))
        self.keyring.forget_user(user_id)
        if change.disabled or change.role is Role.USER:
            await self.streams.end(user_id)
        if self.is_first(user_id):
            await self.prepare()
        return user

    async def add_key(
        self,
        by: Identity,
        name: str,
        *,
        owner: UUID | None,
        expires_at: datetime | None,
        restriction: Restriction = UNRESTRICTED,
        whence: Whence = NOWHERE,
    ) -> tuple[Key, str]:
        """Make a key, for the caller when no owner is named; return it with its token.

        PermissionDenied, ScopeMissing, UserNotFound, InvalidArgument.
        """
        user_id = owner_or(by, owner)
        require_may_make(by, restriction.scopes, expires_at)
        if expires_at is not None and expires_at <= datetime.now(UTC):
            raise InvalidArgument.of("expires_at", "It must be in the future.")
        new, token = self._new_key(user_id, name, expires_at, restriction)
        details = {"name": name, "user_id": str(user_id), "scopes": sorted(restriction.scopes)}
        entry = made_by(by, "create_key", new.key_id, whence, **details)
        key = await self.keys.add(new, entry)
        if key is None:
            raise UserNotFound(str(user_id))
        return key, token

    async def list_keys(
        self, by: Identity, owner: UUID | None, after: Place | None, size: int
    ) -> Sequence[Key]:
        """List the keys of the caller or of `owner`, newest first; PermissionDenied."""
        return await self.keys.page(owner_or(by, owner), after, size)

    async def rotate_key(
        self, by: Identity, key_id: str, overlap_seconds: int, whence: Whence = NOWHERE
    ) -> tuple[Key, str]:
        """Make a key's successor, which may do the same; the old one ends after the overlap.

        KeyNotFound, KeyRotated, PermissionDenied, ScopeMissing.
        """
        old = await self.keys.get(key_id, whose(by)) if is_key_id(key_id) else None
        if old is None or (old.expires_at and old.expires_at <= datetime.now(UTC)):
            raise KeyNotFound(key_id)
        if old.rotated_at is not None:
            raise KeyRotated(key_id)
        require_may_make(by, old.scopes, old.expires_at)
        restriction = Restriction(old.scopes, old.quota)
        new, token = self._new_key(old.user_id, old.name, old.expires_at, restriction)
        details = {"successor": new.key_id, "overlap_seconds": overlap_seconds}
        entry = made_by(by, "rotate_key", key_id, whence, **details)
        key = await self.keys.rotate(key_id, new, overlap_seconds, entry)
        if key is None:
            raise KeyRotated(key_id)
        self.keyring.forget(key_id)
        if not overlap_seconds:
            await self.streams.end(old.user_id, key_id)
        return key, token

    async def revoke_key(self, by: Identity, key_id: str, whence: Whence = NOWHERE) -> None:
        """End a key of the caller's, as an administrator anybody's; KeyNotFound."""
        entry = made_by(by, "delete_key", key_id, whence)
        owner = await self.keys.revoke(key_id, whose(by), entry) if is_key_id(key_id) else None
        if owner is None:
            raise KeyNotFound(key_id)
        self.keyring.forget(key_id)
        await self.streams.end(owner, key_id)

    def is_first(self, user_id: UUID) -> bool:
        """Say whether this is the first administrator."""
        first = self.keyring.administrator
        return first is not None and first.user_id == user_id

    def _keep_the_first(self, user_id: UUID, change: UserChange) -> None:
        if not self.is_first(user_id):
            return
        if change.disabled or change.role is Role.USER:
            raise LastAdministrator(str(user_id))
        if change.name not in {None, FIRST_KEY}:
            raise InvalidArgument.of("name", f"The first administrator is called {FIRST_KEY}.")

    def _new_key(
        self, user_id: UUID, name: str, expires_at: datetime | None, restriction: Restriction
    ) -> tuple[NewKey, str]:
        key_id, token = new_token()
        digest = self.keyring.digest(token.encode())
        scopes, quota = restriction.scopes, restriction.quota
        new = NewKey(key_id, user_id, name, digest, token[-LAST:], expires_at, scopes, quota)
        return new, token


def owner_or(by: Identity, owner: UUID | None) -> UUID:
    """Return who is meant; what belongs to others is an administrator's business."""
    if owner is None or owner == by.user_id:
        return by.user_id
    require_admin(by)
    return owner


def whose(by: Identity) -> UUID | None:
    """Return whose keys somebody may change: an administrator anybody's, which is None."""
    return None if acting_role(by) is Role.ADMIN else by.user_id


def told(change: UserChange) -> dict[str, object]:
    """Return what the audit log says of a change."""
    said: dict[str, object] = {
        "name": change.name,
        "role": change.role,
        "disabled": change.disabled,
        "quota": dict(change.quota) or None,
    }
    return {name: value for name, value in said.items() if value is not None}
