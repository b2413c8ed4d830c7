"""Users and their keys: who may make and end them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from parley_rpc.faults import InvalidArgument, PermissionDenied
from uuid_utils.compat import uuid7

from parley_gateway.core.faults import KeyNotFound, UserExists, UserNotFound
from parley_gateway.core.keys import Keyring, is_key_id, new_token
from parley_gateway.core.model import Identity, Key, NewKey, Place, Role, User
from parley_gateway.core.ports import KeyStore, UserStore

LAST = 4
# The administrator's first key has no row: it stands in the settings.
FIRST_KEY = "admin"


class Accounts:
    """The use cases around users and keys, each in somebody's name."""

    def __init__(self, users: UserStore, keys: KeyStore, keyring: Keyring) -> None:
        self.users = users
        self.keys = keys
        self.keyring = keyring

    async def prepare(self) -> None:
        """Make the administrator's row and let the first key in; DatabaseUnavailable."""
        user = await self.users.administrator()
        self.keyring.administrator = Identity(
            user.user_id, user.name, user.role, key_id=FIRST_KEY, key_name=FIRST_KEY
        )

    async def add_user(self, by: Identity, name: str, role: Role) -> User:
        """Add a user; PermissionDenied, UserExists."""
        require_admin(by)
        user = await self.users.add(uuid7(), name, role)
        if user is None:
            raise UserExists(name)
        return user

    async def list_users(self, by: Identity, after: Place | None, size: int) -> Sequence[User]:
        """List users, newest first; PermissionDenied."""
        require_admin(by)
        return await self.users.page(after, size)

    async def add_key(
        self, by: Identity, name: str, *, owner: UUID | None, expires_at: datetime | None
    ) -> tuple[Key, str]:
        """Make a key, for the caller when no owner is named; return it with its token.

        PermissionDenied, UserNotFound, InvalidArgument.
        """
        user_id = owner_or(by, owner)
        if expires_at is not None and expires_at <= datetime.now(UTC):
            raise InvalidArgument.of("expires_at", "It must be in the future.")
        key_id, token = new_token()
        key = await self.keys.add(
            NewKey(
                key_id=key_id,
                user_id=user_id,
                name=name,
                digest=self.keyring.digest(token.encode()),
                last4=token[-LAST:],
                expires_at=expires_at,
            )
        )
        if key is None:
            raise UserNotFound(str(user_id))
        return key, token

    async def list_keys(
        self, by: Identity, owner: UUID | None, after: Place | None, size: int
    ) -> Sequence[Key]:
        """List the keys of the caller or of `owner`, newest first; PermissionDenied."""
        return await self.keys.page(owner_or(by, owner), after, size)

    async def revoke_key(self, by: Identity, key_id: str) -> None:
        """End a key of the caller's, as an administrator anybody's; KeyNotFound."""
        owner = None if by.role is Role.ADMIN else by.user_id
        if not is_key_id(key_id) or not await self.keys.revoke(key_id, owner):
            raise KeyNotFound(key_id)
        self.keyring.forget(key_id)


def owner_or(by: Identity, owner: UUID | None) -> UUID:
    """Return who is meant; what belongs to others is an administrator's business."""
    if owner is None or owner == by.user_id:
        return by.user_id
    require_admin(by)
    return owner


def require_admin(by: Identity) -> None:
    """Refuse everybody but administrators; PermissionDenied."""
    if by.role is not Role.ADMIN:
        raise PermissionDenied("Only an administrator may do this.", role=Role.ADMIN)
