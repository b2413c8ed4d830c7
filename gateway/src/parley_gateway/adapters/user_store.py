"""Users in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from typing_extensions import override
from uuid_utils.compat import uuid7

from parley_gateway.adapters.database import Database
from parley_gateway.core.model import Place, Role, User
from parley_gateway.core.ports import UserStore

ADMINISTRATOR = "admin"

# Several gateways may start at once: each makes the row or finds the other's.
ENSURE = """
insert into users as u (user_id, name, role) values (%(user_id)s, %(name)s, 'admin')
on conflict (name) do update set name = excluded.name
returning u.user_id, u.name, u.role, u.disabled, u.created_at"""

ADD = """
insert into users (user_id, name, role) values (%(user_id)s, %(name)s, %(role)s)
on conflict (name) do nothing
returning user_id, name, role, disabled, created_at"""

PAGE = """
select user_id, name, role, disabled, created_at from users
 where %(at)s::timestamptz is null or (created_at, user_id) < (%(at)s, %(id)s::uuid)
 order by created_at desc, user_id desc limit %(size)s"""


class PostgresUserStore(UserStore):
    """Keeps users in `gateway.users`."""

    def __init__(self, database: Database) -> None:
        self.database = database.jobs

    @override
    async def administrator(self) -> User:
        values = {"user_id": uuid7(), "name": ADMINISTRATOR}
        rows = await self.database.fetch(ENSURE, values)
        return user_of(rows[0])

    @override
    async def add(self, user_id: UUID, name: str, role: Role) -> User | None:
        values = {"user_id": user_id, "name": name, "role": role.value}
        rows = await self.database.fetch(ADD, values)
        return user_of(rows[0]) if rows else None

    @override
    async def page(self, after: Place | None, size: int) -> Sequence[User]:
        at, user_id = after or (None, None)
        rows = await self.database.fetch(PAGE, {"at": at, "id": user_id, "size": size})
        return [user_of(row) for row in rows]


def user_of(row: tuple[Any, ...]) -> User:
    """Read one row."""
    user_id, name, role, disabled, created_at = row
    return User(user_id, name, Role(role), disabled, created_at)
