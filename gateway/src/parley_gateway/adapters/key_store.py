"""Keys in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from typing_extensions import override
from uuid_utils.compat import uuid7

from parley_gateway.adapters import audit_store, quotas
from parley_gateway.adapters.audit_store import INTO, NOTED
from parley_gateway.adapters.database import Database
from parley_gateway.core.entries import LOGIN, NOWHERE, Entry, Whence
from parley_gateway.core.model import (
    Ended,
    Identity,
    Key,
    NewKey,
    Place,
    Rights,
    Role,
    StoredKey,
)
from parley_gateway.core.ports import KeyStore

KEY = (
    "key_id, user_id, name, last4, expires_at, last_used_at, created_at, rotated_at, scopes, "
    f"{quotas.columns()}"
)
VALID = "k.revoked_at is null and not u.disabled and (k.expires_at is null or k.expires_at > now())"
# Finds and notes the use at once. Most of the time the note is fresh, and nothing is written. Two
# gateways that look at the same time note it once: the second sees what the first has written.
FIND = f"""
with found as (
    select k.key_id, k.digest, k.name as key_name, k.expires_at, k.last_used_at, k.scopes,
           u.user_id, u.name as user_name, u.role, {quotas.columns("k")},
           array[{quotas.columns("u")}]::bigint[] as of_user
      from api_keys k join users u using (user_id)
     where k.key_id = %(key_id)s and {VALID}),
used as (
    update api_keys k set last_used_at = now() from found
     where k.key_id = found.key_id and found.digest = %(digest)s
       and (k.last_used_at is null or k.last_used_at < now() - interval '1 minute')
    returning found.user_id, found.key_id, found.last_used_at),
noted as (
    insert into {INTO}
    select %(entry_id)s::uuid, now(), '{LOGIN}', 'done', user_id, key_id, key_id, %(ip)s::text,
           %(request_id)s::text, '{{}}'
      from used where last_used_at is null or last_used_at < now() - interval '1 hour')
select digest, user_id, user_name, role, key_id, key_name, expires_at, scopes, of_user,
       {quotas.columns()} from found"""  # noqa: S608  (parts are constants)

GET = f"""
select {KEY} from api_keys
 where key_id = %(key_id)s and revoked_at is null
   and (%(user_id)s::uuid is null or user_id = %(user_id)s)"""  # noqa: S608  (parts are constants)

INSERT = f"""
insert into api_keys (key_id, user_id, name, digest, last4, expires_at, scopes,
    {quotas.columns()})
select %(key_id)s, u.user_id, %(name)s::text, %(digest)s::bytea, %(last4)s::text,
    %(expires_at)s::timestamptz, %(scopes)s::text[], {quotas.GIVEN}"""
# The lock makes it wait for a deletion that is under way, instead of pointing at nothing.
ADD = f"""
with u as (select user_id from users where user_id = %(user_id)s for key share),
changed as ({INSERT} from u returning {KEY}), {NOTED}
select {KEY} from changed"""  # noqa: S608  (parts are constants)

ROTATE = f"""
with old as (
    update api_keys k set rotated_at = now(),
        revoked_at = case when %(overlap)s::int = 0 then now() end,
        expires_at = least(k.expires_at, now() + %(overlap)s::int * interval '1 second')
     where k.key_id = %(old)s and k.revoked_at is null and k.rotated_at is null
       and (k.expires_at is null or k.expires_at > now())
    returning k.user_id),
changed as ({INSERT} from old u returning {KEY}), {NOTED}
select {KEY} from changed"""  # noqa: S608  (parts are constants)

PAGE = f"""
select {KEY} from api_keys
 where user_id = %(user_id)s and revoked_at is null
   and (%(at)s::timestamptz is null or (created_at, key_id) < (%(at)s, %(id)s))
 order by created_at desc, key_id desc limit %(size)s"""  # noqa: S608  (parts are constants)

REVOKE = f"""
with changed as (
    update api_keys set revoked_at = now()
     where key_id = %(key_id)s and revoked_at is null
       and (%(user_id)s::uuid is null or user_id = %(user_id)s)
    returning user_id), {NOTED}
select user_id from changed"""  # noqa: S608  (parts are constants)

RIGHTS = f"""
select k.key_id, u.role, k.scopes from api_keys k join users u using (user_id)
 where k.key_id = any(%(key_ids)s::text[]) and {VALID}"""  # noqa: S608  (parts are constants)

# Each of the three has an index. A key that was not used for an hour has no turns.
ENDED = """
with moment as (select now() - %(within)s::float8 * interval '1 second' as since)
select k.user_id, k.key_id, extract(epoch from now() - k.revoked_at)::float8
  from moment, api_keys k
 where k.revoked_at > since and k.last_used_at > since - interval '1 hour'
union all
select k.user_id, k.key_id, extract(epoch from now() - k.expires_at)::float8
  from moment, api_keys k
 where k.expires_at > since and k.expires_at <= now() and k.revoked_at is null
   and k.last_used_at > since - interval '1 hour'
union all
select u.user_id, '', extract(epoch from now() - u.lowered_at)::float8
  from moment, users u where u.lowered_at > since"""


class PostgresKeyStore(KeyStore):
    """Keeps keys in `gateway.api_keys`.

    Whose key it is shows when it has been found, so that goes through `jobs`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database.jobs
        self.own = database

    @override
    async def find(self, key_id: str, digest: bytes, whence: Whence = NOWHERE) -> StoredKey | None:
        values = {"key_id": key_id, "digest": digest, "entry_id": uuid7(), **whence._asdict()}
        rows = await self.database.fetch(FIND, values)
        return stored_key_of(rows[0]) if rows else None

    @override
    async def get(self, key_id: str, user_id: UUID | None) -> Key | None:
        rows = await self._seen_by(user_id, GET, {"key_id": key_id, "user_id": user_id})
        return key_of(rows[0]) if rows else None

    @override
    async def add(self, key: NewKey, entry: Entry) -> Key | None:
        return await self._make(ADD, key, values_of(key), entry)

    @override
    async def rotate(
        self, key_id: str, successor: NewKey, overlap_seconds: int, entry: Entry
    ) -> Key | None:
        values = values_of(successor) | {"old": key_id, "overlap": overlap_seconds}
        return await self._make(ROTATE, successor, values, entry)

    @override
    async def page(self, user_id: UUID, after: Place | None, size: int) -> Sequence[Key]:
        at, key_id = after or (None, None)
        values = {"user_id": user_id, "at": at, "id": key_id, "size": size}
        return [key_of(row) for row in await self._seen_by(user_id, PAGE, values)]

    @override
    async def revoke(self, key_id: str, user_id: UUID | None, entry: Entry) -> UUID | None:
        values = {"key_id": key_id, "user_id": user_id} | audit_store.values_of(entry)
        rows = await self._seen_by(user_id, REVOKE, values)
        return rows[0][0] if rows else None

    @override
    async def rights(self, key_ids: Sequence[str]) -> Mapping[str, Rights]:
        rows = await self.database.fetch(RIGHTS, {"key_ids": list(key_ids)})
        return {key_id: Rights(Role(role), frozenset(scopes)) for key_id, role, scopes in rows}

    @override
    async def ended(self, within_seconds: float) -> Sequence[Ended]:
        rows = await self.database.fetch(ENDED, {"within": within_seconds})
        return [Ended(*row) for row in rows]

    async def _make(
        self, statement: str, new: NewKey, values: dict[str, Any], entry: Entry
    ) -> Key | None:
        values |= audit_store.values_of(entry)
        rows = await self._seen_by(new.user_id, statement, values)
        return key_of(rows[0]) if rows else None

    async def _seen_by(
        self, user_id: UUID | None, statement: str, values: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        """Run a statement in a user's name; for None over everybody's keys."""
        database = self.database if user_id is None else self.own
        return await database.fetch(statement, values, user_id)


def values_of(key: NewKey) -> dict[str, Any]:
    """Return what `INSERT` writes."""
    return {
        "key_id": key.key_id,
        "user_id": key.user_id,
        "name": key.name,
        "digest": key.digest,
        "last4": key.last4,
        "expires_at": key.expires_at,
        "scopes": sorted(key.scopes),
        **quotas.values_of(key.quota),
    }


def key_of(row: tuple[Any, ...]) -> Key:
    """Read one row."""
    key_id, user_id, name, last4, expires_at, used_at, created_at, rotated_at, scopes = row[:9]
    return Key(
        key_id,
        user_id,
        name,
        last4,
        expires_at,
        used_at,
        created_at,
        frozenset(scopes),
        quotas.quota_of(row[9:]),
        rotated_at,
    )


def stored_key_of(row: tuple[Any, ...]) -> StoredKey:
    """Read the row of FIND."""
    digest, user_id, user_name, role, key_id, key_name, expires_at, scopes, of_user = row[:9]
    identity = Identity(
        user_id,
        user_name,
        Role(role),
        key_id,
        key_name,
        expires_at,
        frozenset(scopes),
        quotas.quota_of(tuple(of_user)),
        quotas.quota_of(row[9:]),
    )
    return StoredKey(bytes(digest), identity)
