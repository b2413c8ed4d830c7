"""Whom a statement acts for is said with it, holds for it alone, and decides what it sees."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from uuid import UUID

import psycopg
import pytest
from parley_rpc.faults import DatabaseUnavailable
from parley_tests.pools import everywhere, module_of, opened, owner_of
from psycopg import errors, sql

pytestmark = pytest.mark.integration

ADA, BOB = UUID(int=10), UUID(int=11)
WHOM = "select nullif(current_setting('app.user', true), '')"
THINGS = """
create table things (owner_id uuid not null, n int not null);
insert into things select owner, n from unnest(%s::uuid[]) owner, generate_series(1, 3) n;
alter table things enable row level security;
"""
OWN = "owner_id = nullif(current_setting('app.user', true), '')::uuid"
# Loses the first races.
WIN = """
create sequence tries;
create function win(after bigint) returns text language plpgsql as $$ begin
    if nextval('tries') <= after then
        raise exception using errcode = 'serialization_failure';
    end if;
    return current_setting('app.user');
end $$;
"""


def add_things(url: str, package: str) -> None:
    """Make a table that holds rows of two users, and what loses races."""
    role = sql.Identifier(module_of(package).ROLE)
    with owner_of(url, package) as owner:
        with psycopg.ClientCursor(owner) as cursor:
            cursor.execute(THINGS, [[ADA, BOB]])
        owner.execute(WIN)
        policy = sql.SQL("create policy own on things to {} using ({})")
        owner.execute(policy.format(role, sql.SQL(OWN)))
        owner.execute(sql.SQL("grant all on things to {}").format(role))
        owner.execute(sql.SQL("grant usage on sequence tries to {}").format(role))


async def seen(lent: Any) -> list[UUID]:
    """Return whose rows there are, by one prepared statement."""
    async with lent as connection:
        cursor = await connection.execute("select distinct owner_id from things order by 1")
        return [owner for (owner,) in await cursor.fetchall()]


async def is_nobodys(database: Any) -> bool:
    """Whether the next one to use the connection acts for nobody, and sees nobody's rows."""
    async with database.connection() as connection:
        assert (None,) == await (await connection.execute(WHOM)).fetchone()
        assert connection.owner_id is None
    return [] == await seen(database.connection())


async def test_a_statement_sees_the_rows_of_whom_it_acts_for(database_url: str) -> None:
    """Whoever used the connection, and prepared the statement, before."""

    async def check(package: str, url: str) -> None:
        async with opened(package, url, connections=1) as database:
            add_things(url, package)
            for owner in (ADA, BOB, ADA, BOB, UUID(int=12)) * 3:
                expected = [owner] if owner in (ADA, BOB) else []
                assert expected == await seen(database.acting_for(owner))
                assert await is_nobodys(database)

    await everywhere(check, database_url)


async def test_a_statement_changes_the_rows_of_whom_it_acts_for(database_url: str) -> None:
    async def check(package: str, url: str) -> None:
        async with opened(package, url, connections=1) as database:
            add_things(url, package)
            async with database.acting_for(ADA) as connection:
                assert 3 == (await connection.execute("update things set n = n + 10")).rowcount
                assert 3 == (await connection.execute("delete from things")).rowcount
            with pytest.raises(DatabaseUnavailable):
                async with database.acting_for(ADA) as connection:
                    await connection.execute("insert into things values (%s, 9)", [BOB])
            async with database.connection() as connection:
                assert 0 == (await connection.execute("update things set n = 0")).rowcount
        with owner_of(url, package) as owner:
            left = owner.execute("select owner_id, n from things order by n").fetchall()
            assert [(BOB, 1), (BOB, 2), (BOB, 3)] == left

    await everywhere(check, database_url)


async def test_a_lost_race_is_run_again_for_the_same_user(database_url: str) -> None:
    async def check(package: str, url: str) -> None:
        async with opened(package, url, connections=1) as database:
            add_things(url, package)
            async with database.acting_for(ADA) as connection:
                cursor = await connection.execute("select win(3)")
                assert (str(ADA),) == await cursor.fetchone()
            assert await is_nobodys(database)

    await everywhere(check, database_url)


@pytest.mark.parametrize(
    "statement", ["select 1 / 0", "select nonsense", "selec", "insert into things values (null)"]
)
async def test_what_fails_leaves_nothing_behind(database_url: str, statement: str) -> None:
    async def check(package: str, url: str) -> None:
        async with opened(package, url, connections=1) as database:
            add_things(url, package)
            with contextlib.suppress(errors.Error, DatabaseUnavailable):
                async with database.acting_for(ADA) as connection:
                    await connection.execute(statement)
            assert await is_nobodys(database)
            assert [BOB] == await seen(database.acting_for(BOB))

    await everywhere(check, database_url)


async def test_who_leaves_in_the_middle_leaves_nothing_behind(database_url: str) -> None:
    async def check(package: str, url: str) -> None:
        async with opened(package, url, connections=1) as database:
            add_things(url, package)
            for after in (0.0, 0.001, 0.05):
                waiting = asyncio.create_task(sleep(database))
                await asyncio.sleep(after)
                waiting.cancel()
                await asyncio.wait({waiting})
                assert await is_nobodys(database)

    await everywhere(check, database_url)


async def sleep(database: Any) -> None:
    async with database.acting_for(ADA) as connection:
        await connection.execute("select pg_sleep(1.5)")


async def test_a_transaction_acts_for_its_user_and_nothing_after_it(database_url: str) -> None:
    async def check(package: str, url: str) -> None:
        async with opened(package, url, connections=1) as database:
            add_things(url, package)
            async with database.acting_for(ADA) as connection, connection.transaction():
                await connection.execute("update things set n = 7")
                cursor = await connection.execute("select owner_id, n from things")
                assert [(ADA, 7)] * 3 == await cursor.fetchall()
            assert await is_nobodys(database)
            with contextlib.suppress(ZeroDivisionError):
                async with database.acting_for(BOB) as connection, connection.transaction():
                    await connection.execute("update things set n = 8")
                    raise ZeroDivisionError
            assert await is_nobodys(database)
        with owner_of(url, package) as owner:
            sums = owner.execute("select owner_id, sum(n) from things group by 1 order by 1")
            assert [(ADA, 21), (BOB, 6)] == sums.fetchall()

    await everywhere(check, database_url)


async def test_many_users_at_once_share_few_connections(database_url: str) -> None:
    users = (ADA, BOB, UUID(int=12))

    async def check(package: str, url: str) -> None:
        async with opened(package, url) as database:
            add_things(url, package)
            async with asyncio.TaskGroup() as tasks:
                asked = [
                    (user, tasks.create_task(seen(database.acting_for(user)))) for user in users * 8
                ]
            for user, task in asked:
                assert task.result() == ([user] if user in (ADA, BOB) else [])

    await everywhere(check, database_url)
