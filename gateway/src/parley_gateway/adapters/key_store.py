"""Keys in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from typing_extensions import override

from parley_gateway.adapters.database import Database
from parley_gateway.core.model import Identity, Key, NewKey, Place, Role, StoredKey
from parley_gateway.core.ports import KeyStore

# Finds and notes the use at once. Most of the time the note is fresh, and nothing is written.
FIND = """
with found as (
    select k.key_id, k.digest, k.name as key_name, k.expires_at, k.last_used_at,
           u.user_id, u.name as user_name, u.role
      from api_keys k join users u using (user_id)
     where k.key_id = %(key_id)s and k.revoked_at is null and not u.disabled
       and (k.expires_at is null or k.expires_at > now())),
used as (
    update api_keys k set last_used_at = now() from found
     where k.key_id = found.key_id
       and (found.last_used_at is null or found.last_used_at < now() - interval '1 minute'))
select digest, user_id, user_name, role, key_id, key_name, expires_at from found"""

# The lock makes it wait for a deletion that is under way, instead of pointing at nothing.
ADD = """
insert into api_keys (key_id, user_id, name, digest, last4, expires_at)
select %(key_id)s, u.user_id, %(name)s, %(digest)s, %(last4)s, %(expires_at)s
  from users u where u.user_id = %(user_id)s for key share
returning key_id, name, last4, expires_at, last_used_at, created_at"""

PAGE = """
select key_id, name, last4, expires_at, last_used_at, created_at from api_keys
 where user_id = %(user_id)s and revoked_at is null
   and (%(at)s::timestamptz is null or (created_at, key_id) < (%(at)s, %(id)s))
 order by created_at desc, key_id desc limit %(size)s"""

REVOKE = """
update api_keys set revoked_at = now()
 where key_id = %(key_id)s and revoked_at is null
   and (%(user_id)s::uuid is null or user_id = %(user_id)s)
returning 1"""


class PostgresKeyStore(KeyStore):
    """Keeps keys in `gateway.api_keys`.

    Whose key it is shows when it has been found, so that goes through `jobs`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database.jobs
        self.own = database

    @override
    async def find(self, key_id: str) -> StoredKey | None:
        rows = await self.database.fetch(FIND, {"key_id": key_id})
        if not rows:
            return None
        digest, user_id, user_name, role, *key = rows[0]
        return StoredKey(bytes(digest), Identity(user_id, user_name, Role(role), *key))

    @override
    async def add(self, key: NewKey) -> Key | None:
        values = {
            "key_id": key.key_id,
            "user_id": key.user_id,
            "name": key.name,
            "digest": key.digest,
            "last4": key.last4,
            "expires_at": key.expires_at,
        }
        rows = await self.own.fetch(ADD, values, key.user_id)
        return Key(*rows[0]) if rows else None

    @override
    async def page(self, user_id: UUID, after: Place | None, size: int) -> Sequence[Key]:
        at, key_id = after or (None, None)
        values = {"user_id": user_id, "at": at, "id": key_id, "size": size}
        return [Key(*row) for row in await self.own.fetch(PAGE, values, user_id)]

    @override
    async def revoke(self, key_id: str, user_id: UUID | None) -> bool:
        values = {"key_id": key_id, "user_id": user_id}
        database = self.database if user_id is None else self.own
        return bool(await database.fetch(REVOKE, values, user_id))
