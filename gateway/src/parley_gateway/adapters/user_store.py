"""Users in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import errors
from typing_extensions import override
from uuid_utils.compat import uuid7

from parley_gateway.adapters import audit_store, quotas
from parley_gateway.adapters.audit_store import NOTED
from parley_gateway.adapters.database import Database
from parley_gateway.core.entries import Entry
from parley_gateway.core.faults import UserExists
from parley_gateway.core.model import Place, Role, User, UserChange
from parley_gateway.core.ports import UserStore

ADMINISTRATOR = "admin"
USER = f"user_id, name, role, disabled, created_at, {quotas.columns()}"

GET = f"select {USER} from users where user_id = %(user_id)s"  # noqa: S608  (parts are constants)
BY_NAME = f"select {USER} from users where name = %(name)s"  # noqa: S608  (parts are constants)
# Several gateways may start at once: each makes the row or finds the other's.
ENSURE = f"""
insert into users as u (user_id, name, role) values (%(user_id)s, %(name)s, 'admin')
on conflict (name) do update set name = excluded.name
returning {USER}"""  # noqa: S608  (parts are constants)

ADD = f"""
with changed as (
    insert into users (user_id, name, role) values (%(user_id)s, %(name)s, %(role)s)
    on conflict (name) do nothing
    returning {USER}), {NOTED}
select {USER} from changed"""  # noqa: S608  (parts are constants)

CHANGE = f"""
with changed as (
    update users set name = coalesce(%(name)s::text, name),
        role = coalesce(%(role)s::text, role),
        disabled = coalesce(%(disabled)s::boolean, disabled),
        lowered_at = case when (%(disabled)s::boolean and not disabled)
            or (%(role)s::text = 'user' and role = 'admin') then now() else lowered_at end,
        {quotas.CHANGED}
     where user_id = %(user_id)s
    returning {USER}), {NOTED}
select {USER} from changed"""  # noqa: S608  (parts are constants)

PAGE = f"""
select {USER} from users
 where %(at)s::timestamptz is null or (created_at, user_id) < (%(at)s, %(id)s::uuid)
 order by created_at desc, user_id desc limit %(size)s"""  # noqa: S608  (parts are constants)


class PostgresUserStore(UserStore):
    """Keeps users in `gateway.users`."""

    def __init__(self, database: Database) -> None:
        self.database = database.jobs

    @override
    async def administrator(self) -> User:
        values = {"user_id": uuid7(), "name": ADMINISTRATOR}
        rows = await self.database.fetch(BY_NAME, values)
        return user_of((rows or await self.database.fetch(ENSURE, values))[0])

    @override
    async def add(self, user_id: UUID, name: str, role: Role, entry: Entry) -> User | None:
        values = {"user_id": user_id, "name": name, "role": role.value}
        rows = await self.database.fetch(ADD, values | audit_store.values_of(entry))
        return user_of(rows[0]) if rows else None

    @override
    async def get(self, user_id: UUID) -> User | None:
        rows = await self.database.fetch(GET, {"user_id": user_id})
        return user_of(rows[0]) if rows else None

    @override
    async def change(self, user_id: UUID, change: UserChange, entry: Entry) -> User | None:
        values: dict[str, Any] = {
            "user_id": user_id,
            "name": change.name,
            "role": change.role,
            "disabled": change.disabled,
            "given": list(change.quota),
            **dict.fromkeys(quotas.COLUMNS),
            **change.quota,
        }
        try:
            rows = await self.database.fetch(CHANGE, values | audit_store.values_of(entry))
        except errors.UniqueViolation:
            raise UserExists(change.name or "") from None
        return user_of(rows[0]) if rows else None

    @override
    async def page(self, after: Place | None, size: int) -> Sequence[User]:
        at, user_id = after or (None, None)
        rows = await self.database.fetch(PAGE, {"at": at, "id": user_id, "size": size})
        return [user_of(row) for row in rows]


def user_of(row: tuple[Any, ...]) -> User:
    """Read one row."""
    user_id, name, role, disabled, created_at, *quota = row
    return User(user_id, name, Role(role), disabled, created_at, quotas.quota_of(tuple(quota)))
