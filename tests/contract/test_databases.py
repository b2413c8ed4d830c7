"""The four pools of connections behave alike, whatever happens to the database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from parley_rpc.faults import DatabaseUnavailable
from parley_tests.pools import everywhere, module_of, opened, owner_of
from psycopg import sql

pytestmark = pytest.mark.integration

# Loses the first races.
WIN = """
create function win(after bigint) returns bigint language plpgsql as $$ begin
    if nextval('tries') <= after then
        raise exception using errcode = 'serialization_failure';
    end if;
    return after;
end $$"""
# The promise is three seconds for a whole request.
TOLD_WITHIN_SECONDS = 3.0
BACK_WITHIN_SECONDS = 5.0
# Waits for what the statement of a service has locked, once that waits as well, and so much later
# that PostgreSQL gives up the service's: whoever finds the deadlock, after a second of waiting.
# Told in one piece, for a test that is late itself would be found first.
SECOND = """
do $$ begin
    while not exists (select from pg_stat_activity where application_name = {role}
                         and wait_event_type = 'Lock' and datname = current_database()) loop
        perform pg_sleep(0.02);
        perform pg_stat_clear_snapshot();
    end loop;
    perform pg_sleep(0.4);
    update things set n = 1 where id = 2;
end $$"""


@dataclass(frozen=True)
class Acting:
    """A database whose every statement acts for a user."""

    database: Any

    def connection(self) -> Any:
        return self.database.acting_for(UUID(int=1))


@pytest.fixture(params=[Acting, lambda database: database], ids=["for a user", "for nobody"])
def way(request: pytest.FixtureRequest) -> Any:
    """How statements are run."""
    return request.param


async def is_well_again(database: Any) -> bool:
    """Whether it serves, in the time that is promised after a fault."""
    give_up = time.monotonic() + BACK_WITHIN_SECONDS
    while time.monotonic() < give_up:
        with contextlib.suppress(DatabaseUnavailable):
            return bool((1,) == await run(database, "select 1"))
    return False


async def run(database: Any, statement: str) -> Any:
    async with database.connection() as connection:
        return await (await connection.execute(statement)).fetchone()


async def change(database: Any, statement: str) -> None:
    async with database.connection() as connection:
        await connection.execute(statement)


async def told(database: Any, statement: str = "select 1") -> float:
    """Run what cannot succeed; return the seconds until that is told."""
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await run(database, statement)
    return time.monotonic() - began


def add_things(url: str, package: str) -> None:
    """Make a table of two rows that the service may change."""
    with owner_of(url, package) as owner:
        owner.execute("create table things (id int primary key, n int)")
        owner.execute("insert into things values (1, 0), (2, 0)")
        grant = sql.SQL("grant all on things to {}")
        owner.execute(grant.format(sql.Identifier(module_of(package).ROLE)))


async def test_a_server_that_breaks_its_word_is_left_in_time(database_url: str, way: Any) -> None:
    async def check(package: str, url: str) -> None:
        async with opened(package, url, connections=1) as pool:
            database = way(pool)
            await change(database, "set statement_timeout = 0")

            assert await told(database, "select pg_sleep(5)") < TOLD_WITHIN_SECONDS
            assert await is_well_again(database)

    await everywhere(check, database_url)


async def test_a_question_about_its_health_is_answered_within_a_second(database_url: str) -> None:
    async def check(package: str, url: str) -> None:
        async with opened(package, url, connections=1) as database, database.connection():
            began = time.monotonic()
            assert not await database.answers()
            assert time.monotonic() - began < 1.0

    await everywhere(check, database_url)


async def test_a_lock_is_told_in_time_and_spoils_nothing_else(database_url: str, way: Any) -> None:
    async def check(package: str, url: str) -> None:
        async with opened(package, url) as pool:
            database = way(pool)
            add_things(url, package)
            with owner_of(url, package) as other:
                other.execute("lock table things in access exclusive mode")
                waiting = asyncio.create_task(told(database, "update things set n = 1"))
                await asyncio.sleep(0)
                assert (1,) == await run(database, "select 1")
                assert await waiting < TOLD_WITHIN_SECONDS
            assert (2,) == await run(database, "select count(*) from things")

    await everywhere(check, database_url)


async def test_who_waits_for_a_connection_is_told_in_time_and_the_next_at_once(
    database_url: str,
) -> None:
    async def check(package: str, url: str) -> None:
        async with opened(package, url, connections=1) as database:
            async with database.connection():
                assert await told(database) < TOLD_WITHIN_SECONDS
                assert await told(database) < 0.5
                assert 0 == database.pool.get_stats()["requests_waiting"]
            assert await is_well_again(database)
            async with database.connection():
                assert await told(database) > 0.5

    await everywhere(check, database_url)


async def test_a_database_that_is_read_only_is_away(database_url: str, way: Any) -> None:
    async def check(package: str, url: str) -> None:
        async with opened(package, url, connections=1) as pool:
            database = way(pool)
            add_things(url, package)
            await change(database, "set default_transaction_read_only = on")
            await told(database, "update things set n = 1")
            assert (2,) == await run(database, "select count(*) from things")

    await everywhere(check, database_url)


async def test_a_deadlock_is_nobodys_trouble(database_url: str, way: Any) -> None:
    """The statement waits first, so PostgreSQL gives it up; it runs again."""

    async def check(package: str, url: str) -> None:
        async with opened(package, url) as pool:
            database = way(pool)
            add_things(url, package)
            # Run again, it comes too late to take the row from who waits for it.
            backwards = (
                "with t as (select id from things cross join (select pg_sleep(0.2)) as pause"
                " order by id desc for update of things)"
                " update things x set n = n + 10 from t where x.id = t.id"
            )
            with owner_of(url, package) as other:
                other.execute("update things set n = 1 where id = 1")
                running = asyncio.create_task(change(database, backwards))
                name = sql.Literal(module_of(package).ROLE)
                await asyncio.to_thread(other.execute, sql.SQL(SECOND).format(role=name))
            await running
            assert (11, 11) == await run(database, "select min(n), max(n) from things")

    await everywhere(check, database_url)


async def test_a_lost_race_is_run_again_but_not_for_ever(database_url: str, way: Any) -> None:
    async def check(package: str, url: str) -> None:
        async with opened(package, url) as pool:
            database = way(pool)
            with owner_of(url, package) as owner:
                owner.execute("create sequence tries")
                grant = sql.SQL("grant usage on sequence tries to {}")
                owner.execute(grant.format(sql.Identifier(module_of(package).ROLE)))
                owner.execute(WIN)

            assert (3,) == await run(database, "select win(3)")
            await told(database, "select win(1000)")

    await everywhere(check, database_url)


async def test_within_a_transaction_nothing_is_run_again(database_url: str) -> None:
    async def check(package: str, url: str) -> None:
        async with opened(package, url, connections=1) as database:
            lose = "do $$ begin raise exception using errcode = 'serialization_failure'; end $$"
            with pytest.raises(DatabaseUnavailable):
                async with database.connection() as connection, connection.transaction():
                    await connection.execute(lose)
            assert (1,) == await run(database, "select 1")

    await everywhere(check, database_url)


async def test_a_database_that_is_away_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def check(package: str, _: str) -> None:
        database = module_of(package).Database("host=127.0.0.1 port=1", connections=2)
        await database.open()
        try:
            took = [await told(database) for _ in range(10)]
            said = [one for one in caplog.records if one.name.startswith(package)]
        finally:
            await database.aclose()
        assert max(took) < TOLD_WITHIN_SECONDS
        assert 1 <= len(said) < 5

    with caplog.at_level(logging.INFO):
        await everywhere(check)

    said = [one.getMessage() for one in caplog.records if one.name == "psycopg.pool"]
    assert len(said) < 10
    assert any("Connection refused" in message for message in said)
