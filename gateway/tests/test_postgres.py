"""What only a real PostgreSQL can show: migrations, rights, races, outages."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, LiteralString

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from parley_gateway import migrations
from parley_gateway.adapters.database import SCHEMA, SCHEMA_REVISION, Database
from parley_gateway.adapters.tables import metadata
from parley_gateway.core.entries import Entry, EntryFilter
from parley_gateway.core.limits import Limiter, check
from parley_gateway.core.model import NewKey, Payer, Role, Subject
from parley_gateway.migrations.upgrade import migrate
from parley_gateway.settings import Settings
from parley_rpc.faults import DatabaseUnavailable, LimitExceeded
from psycopg import errors
from pydantic import SecretStr
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from uuid_utils.compat import uuid7

from .stores import Stores, migrated, postgres_stores

ENTRY = Entry("test")

pytestmark = pytest.mark.integration


@pytest.fixture
async def settings(database_url: str) -> Settings:
    return await migrated(database_url)


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Stores]:
    async with postgres_stores(settings) as stores:
        yield stores


def test_migrations_and_tables_agree(settings: Settings) -> None:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(settings.conninfo),
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        options = {
            "include_schemas": True,
            "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
            "compare_server_default": True,
        }
        differences = compare_metadata(
            MigrationContext.configure(connection, opts=options), metadata
        )

    # Alembic's own table stands beside ours.
    assert ["alembic_version"] == [change[1].name for change in differences]


def test_what_serving_needs_is_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])

    assert [SCHEMA_REVISION] == ScriptDirectory.from_config(config).get_heads()


def test_migrating_again_changes_nothing(settings: Settings) -> None:
    assert 0 == migrate(settings)


async def test_many_may_migrate_at_once(database_url: str) -> None:
    every = Settings(DATABASE_URL=SecretStr(database_url))

    codes = await asyncio.gather(*(asyncio.to_thread(migrate, every) for _ in range(4)))

    assert [0, 0, 0, 0] == codes


async def test_a_database_answers_when_it_is_migrated(database_url: str) -> None:
    database = Database(database_url, connections=1)
    await database.open()
    try:
        before = await database.answers()
        await migrated(database_url)
        assert (False, True) == (before, await database.answers())
    finally:
        await database.aclose()


@pytest.mark.parametrize(
    "statement",
    ["drop table api_keys", "create table mine (id int)", "delete from alembic_version"],
)
async def test_the_gateways_role_cannot_change_the_schema(
    settings: Settings, statement: str
) -> None:
    database = Database(settings.conninfo, connections=1)
    await database.open()
    try:
        with pytest.raises(DatabaseUnavailable):
            await database.fetch(statement)
    finally:
        await database.aclose()


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_log set actor = null returning 1",
        "delete from audit_log returning 1",
        "truncate audit_log",
        "drop table audit_log",
        "alter table audit_log disable trigger all",
        "insert into audit_log table audit_log on conflict (entry_id) do update set ip = ''",
    ],
)
@pytest.mark.parametrize("again", [False, True], ids=["once", "migrated again"])
async def test_the_gateways_role_cannot_change_what_the_log_says(
    settings: Settings, stores: Stores, statement: str, *, again: bool
) -> None:
    """However often it was migrated, for that grants anew."""
    await stores.audit.write([ENTRY])
    if again:
        assert 0 == await asyncio.to_thread(migrate, settings)
    database = Database(settings.conninfo, connections=1)
    await database.open()
    try:
        with pytest.raises(DatabaseUnavailable) as raised:
            await database.fetch(statement)
    finally:
        await database.aclose()

    assert isinstance(raised.value.__cause__, errors.InsufficientPrivilege)
    assert ["test"] == [one.entry.action for one in await stores.audit.page(EntryFilter(), None, 9)]


async def test_a_change_whose_entry_cannot_be_written_is_not_made(
    settings: Settings, stores: Stores
) -> None:
    with psycopg.connect(settings.conninfo) as owner:
        owner.execute("revoke insert on gateway.audit_log from parley_gateway_jobs")

    with pytest.raises(DatabaseUnavailable):
        await stores.users.add(uuid7(), "ada", Role.USER, ENTRY)

    assert [] == await stores.users.page(None, 9)


async def test_two_gateways_count_one_limit(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        gateways = [
            Limiter((await stack.enter_async_context(postgres_stores(settings))).limits, 50)
            for _ in range(2)
        ]
        standings = await asyncio.gather(
            *(gateways[number % 2].spend(PAYERS[number % 3]) for number in range(240))
        )

    granted = Counter(number % 3 for number in range(240) if standings[number].granted)
    assert 50 == granted.total()
    assert granted[0] <= 20
    [(used,)] = told(settings, "select used from gateway.rate_limits where subject = 'user:ada'")
    assert 50 == used


async def test_an_hour_after_the_first_request_another_begins(
    settings: Settings, stores: Stores
) -> None:
    ada = Payer(Subject("user:ada", 5))
    await stores.limits.spend({ada: 5})
    with psycopg.connect(settings.conninfo) as owner:
        owner.execute(
            "update gateway.rate_limits set window_start = window_start - interval '1 hour'"
        )

    grant = (await stores.limits.spend({ada: 1}))[ada]

    assert (1, 0) == (grant.granted, grant.user.used)
    assert grant.user.seconds_left > 3590


async def test_whoever_comes_back_when_told_is_let_in(settings: Settings, stores: Stores) -> None:
    """The clock is moved by moving the window: a second before its end, and onto it."""
    payer = Payer(Subject("user:ada", 9), Subject("key:one", 2))
    limiter = Limiter(stores.limits, 9)
    verdicts = [await limiter.spend(payer) for _ in range(3)]
    with pytest.raises(LimitExceeded) as refused:
        check(verdicts[-1])
    wait = math.ceil(refused.value.retry_after or 0)

    answers = []
    for seconds in (wait - 1.5, 1.5):
        told(settings, MOVED, seconds)
        answers += [(await limiter.spend(payer)).granted]

    assert [False, True] == answers


async def test_an_hour_that_has_not_begun_is_over(settings: Settings, stores: Stores) -> None:
    """As after a clock that was set back."""
    ada = Payer(Subject("user:ada", 5))
    await stores.limits.spend({ada: 5})
    told(settings, MOVED, -7200)

    grant = (await stores.limits.spend({ada: 1}))[ada]

    assert 1 == grant.granted
    assert 3590 < grant.user.seconds_left <= 3600


PAYERS = [
    Payer(Subject("user:ada", 50), Subject("key:one", 20)),
    Payer(Subject("user:ada", 50), Subject("key:two", 40)),
    Payer(Subject("user:ada", 50)),
]
MOVED = """update gateway.rate_limits
    set window_start = window_start - make_interval(secs => %s) returning 1"""


def told(settings: Settings, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.conninfo) as owner:
        return owner.execute(query, values).fetchall()


async def test_only_a_digest_of_a_key_is_in_the_database(
    settings: Settings, stores: Stores
) -> None:
    user = await stores.users.administrator()
    await stores.keys.add(NewKey("abcdefghijkl", user.user_id, "k", b"\1\2", "last", None), ENTRY)

    with psycopg.connect(settings.conninfo) as owner:
        row = owner.execute("select * from gateway.api_keys").fetchone()
    assert row
    assert ["abcdefghijkl", user.user_id, "k", b"\1\2", "last"] == list(row[:5])


async def test_a_disabled_users_keys_are_not_found(settings: Settings, stores: Stores) -> None:
    user = await stores.users.add(uuid7(), "ada", Role.USER, ENTRY)
    assert user
    await stores.keys.add(NewKey("abcdefghijkl", user.user_id, "k", b"\1\2", "last", None), ENTRY)
    assert await stores.keys.find("abcdefghijkl", b"\1\2")
    with psycopg.connect(settings.conninfo) as owner:
        owner.execute("update gateway.users set disabled = true")

    assert await stores.keys.find("abcdefghijkl", b"\1\2") is None


async def test_many_gateways_make_one_administrator(settings: Settings, stores: Stores) -> None:
    made = await asyncio.gather(*(stores.users.administrator() for _ in range(8)))

    assert 1 == len({user.user_id for user in made})


async def test_a_broken_connection_is_replaced_before_anybody_notices(
    settings: Settings, stores: Stores
) -> None:
    await stores.users.administrator()
    with psycopg.connect(settings.conninfo) as owner:
        owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    await asyncio.sleep(0.1)

    await stores.users.administrator()
    await stores.limits.spend({Payer(Subject("user:ada", 5)): 1})


async def test_a_database_that_is_away_is_told_quickly() -> None:
    database = Database("host=127.0.0.1 port=1", connections=1)
    await database.open()
    try:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await database.fetch("select 1")
        assert time.monotonic() - began < 2.0
        began = time.monotonic()
        assert not await database.answers()
        assert time.monotonic() - began < 0.5
    finally:
        await database.aclose()
