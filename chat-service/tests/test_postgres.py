"""What only a real PostgreSQL can show: migrations, rights, races, restarts."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from parley_chat_service import migrations
from parley_chat_service.adapters.database import ROLE, SCHEMA, SCHEMA_REVISION, Database
from parley_chat_service.adapters.store import chats as chat_statements
from parley_chat_service.adapters.store import turns as turn_statements
from parley_chat_service.adapters.store.turns import PostgresTurnStore
from parley_chat_service.adapters.tables import metadata
from parley_chat_service.core.model import Caller, MessageQuery, Status
from parley_chat_service.core.turn import Ending, NewTurn, Send, Start
from parley_chat_service.migrations.upgrade import migrate
from parley_chat_service.settings import Settings
from parley_rpc.faults import DatabaseUnavailable
from parley_tests.installation import Installation
from parley_tests.migrating import prepared
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from uuid_utils.compat import uuid7

from . import previous_release
from .conftest import opened, postgres_edges, running
from .fakes import new_turn, until

pytestmark = pytest.mark.integration


def ending(turn: NewTurn) -> Ending:
    return Ending(
        turn.message_id, turn.worker_id, Status.COMPLETE, "Ho", "", "stop", "", None, None,
        turn.choice,
    )  # fmt: skip


def test_migrations_and_tables_agree(settings: Settings) -> None:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(settings.conninfo, options=f"-c search_path={SCHEMA}"),
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        options = {"compare_server_default": True}
        differences = compare_metadata(
            MigrationContext.configure(connection, opts=options), metadata
        )

    assert [] == differences


def test_serving_asks_for_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(str(migrations.__file__)).parent))

    assert SCHEMA_REVISION == ScriptDirectory.from_config(config).get_current_head()


def test_two_migrations_at_once_are_one(database_url: str) -> None:
    command = [sys.executable, "-m", "parley_chat_service", "migrate"]
    environment = {**os.environ, "DATABASE_URL": database_url}  # noqa: TID251  (a child's)
    children = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(3)
    ]
    outputs = [child.communicate(timeout=60)[0] for child in children]

    assert [0, 0, 0] == [child.returncode for child in children]
    assert 1 == sum(output.count(b"Running upgrade  -> 0001") for output in outputs)


def test_who_may_not_is_given_the_sql(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"poor_{uuid4().hex}"
    poor = sql.Identifier(name)
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(sql.SQL("create role {}").format(poor))
        owner.execute(sql.SQL("grant {} to current_user").format(poor))
        try:
            options = f"-c role={name}"
            conninfo = psycopg.conninfo.make_conninfo(database_url, options=options)
            assert 1 == migrate(Settings(database_url=SecretStr(conninfo)))
            statements = capsys.readouterr().out.splitlines()[1:]
            assert f'create schema "chat" authorization "{owner.info.user}";' == statements[-1]
            for statement in statements:
                owner.execute(statement.encode())
        finally:
            owner.execute(sql.SQL("drop role {}").format(poor))

    assert 0 == migrate(Settings(database_url=SecretStr(database_url)))


async def test_the_release_before_works_while_the_schema_changes(
    database_url: str, ada: Caller
) -> None:
    """Its connections have prepared their statements before the migration runs."""
    prepared(database_url, "chat_service", "0002")
    turns = [new_turn(ada.owner_id, uuid7(), Send("Hi", "c")) for _ in range(3)]
    settings = Settings(database_url=SecretStr(database_url))
    async with opened(settings) as database:
        for number, turn in enumerate(turns):
            async with database.acting_for(ada.owner_id) as connection:
                begin = turn_statements.begin_parameters(turn, 5)
                cursor = await connection.execute(previous_release.BEGIN, begin, binary=True)
                rows = await cursor.fetchall()
                assert max(1, 2 * number) == len(rows)
                path = [rows[0][0], rows[0][1] - 1]
                cursor = await connection.execute(previous_release.PATH, path, binary=True)
                assert 2 * number == len(await cursor.fetchall())
                end = turn_statements.end_parameters(ending(turn))
                assert 1 == (await connection.execute(previous_release.END, end)).rowcount
            if not number:
                assert 0 == await asyncio.to_thread(migrate, settings)
        page = await postgres_edges(database).chats.list_messages(
            ada.owner_id, MessageQuery("c", 9)
        )
        store = PostgresTurnStore(database, database)
        again = await store.path(ada.owner_id, rows[0][0], turns[-1].message_id)

    assert page is not None
    assert ["acme", "acme", "acme"] == [m.provider for m in page.messages if m.provider]
    assert [()] * 6 == [past.spans for past in again]


async def test_who_names_no_user_finds_and_writes_nothing(settings: Settings, ada: Caller) -> None:
    """What was in use before rows were isolated: it is told so, and spoils nothing."""
    turn, another = (new_turn(ada.owner_id, uuid7(), Send("Hi", "c")) for _ in range(2))
    async with opened(settings) as database:
        begun = await PostgresTurnStore(database, database).begin(turn, 5)
        assert begun
        async with database.connection() as connection:
            path = [begun.chat_uid, 9]
            assert 0 == (await connection.execute(previous_release.PATH, path)).rowcount
            end = turn_statements.end_parameters(ending(turn))
            assert 0 == (await connection.execute(previous_release.END, end)).rowcount
        begin = turn_statements.begin_parameters(another, 5)
        with pytest.raises(DatabaseUnavailable):
            async with database.connection() as connection:
                await connection.execute(previous_release.BEGIN, begin, binary=True)
    with psycopg.connect(settings.conninfo) as owner:
        query = "select count(*), count(*) filter (where status = 'running') from chat.messages"
        assert (2, 1) == owner.execute(query).fetchone()


async def test_a_schema_of_the_release_before_is_not_enough(database_url: str, ada: Caller) -> None:
    prepared(database_url, "chat_service", "0002")
    async with opened(Settings(database_url=SecretStr(database_url))) as database:
        assert not await database.answers()
        with pytest.raises(DatabaseUnavailable):
            await PostgresTurnStore(database, database).end(
                ending(new_turn(ada.owner_id, uuid7(), Send("Hi", "c")))
            )


@pytest.mark.parametrize("statement", [chat_statements.FORWARD, chat_statements.BACKWARD])
async def test_policies_keep_no_statement_from_its_index(
    settings: Settings, ada: Caller, statement: str
) -> None:
    """Messages are found by their chat, and their siblings by their parent."""
    async with opened(settings) as database, database.acting_for(ada.owner_id) as connection:
        await connection.execute("set enable_seqscan = off")
        query = f"explain (costs off) {statement}"
        cursor = await connection.execute(query, [uuid7(), 0, 20])
        lines = [line for (line,) in await cursor.fetchall()]
        await connection.execute("reset enable_seqscan")

    found = {
        line.split(" using ")[1].split(" ")[0]: lines[number + 1].strip()
        for number, line in enumerate(lines)
        if " using messages_" in line
    }
    assert "CASE" in found["messages_siblings"]
    assert "chat_uid" in found["messages_path"]


async def test_no_metadata_is_null(settings: Settings, ada: Caller) -> None:
    turn = new_turn(ada.owner_id, uuid7(), Send("Hi", "c"))
    async with opened(settings) as database:
        store = PostgresTurnStore(database, database)
        await store.begin(turn, 5)
        assert await store.end(ending(turn))
    with psycopg.connect(settings.conninfo) as owner:
        query = "select count(*), count(provider_metadata) from chat.messages"
        assert (2, 0) == owner.execute(query).fetchone()


async def test_a_database_is_ready_when_it_is_migrated(database_url: str) -> None:
    settings = Settings(database_url=SecretStr(database_url))
    async with opened(settings) as database:
        before = await database.answers()
        await asyncio.to_thread(migrate, settings)

        assert (False, True) == (before, await database.answers())


async def test_the_role_can_read_and_write_and_nothing_else(database: Database) -> None:
    async with database.connection() as connection:
        cursor = await connection.execute("select current_user, current_schema")
        assert (ROLE, SCHEMA) == await cursor.fetchone()
    for statement in (
        b"create table more (id int)",
        b"drop table chats",
        b"delete from alembic_version",
        b"truncate messages",
    ):
        with pytest.raises(DatabaseUnavailable):
            async with database.connection() as connection:
                await connection.execute(statement)


async def test_many_at_once_keep_one_order(settings: Settings, ada: Caller) -> None:
    """120 begins on two pools: no gap, no fork, each key one turn."""
    keys = ["", *(f"k{n}" for n in range(40))]
    async with opened(settings) as one, opened(settings) as two:
        stores = [PostgresTurnStore(one, one), PostgresTurnStore(two, two)]
        sends = [Send("Hi", "c", idempotency_key=keys[n % 41]) for n in range(120)]
        turns = [new_turn(ada.owner_id, uuid7(), send) for send in sends]
        begun = await asyncio.gather(
            *(stores[n % 2].begin(turn, 1000) for n, turn in enumerate(turns))
        )
        page = await postgres_edges(one).chats.list_messages(ada.owner_id, MessageQuery("c", 1000))

    kept = Counter(send.idempotency_key for send, found in zip(sends, begun, strict=True) if found)
    assert {"": 3, **dict.fromkeys(keys[1:], 1)} == kept
    assert page is not None
    messages = page.messages
    assert list(range(1, 2 * 43 + 1)) == [message.seq for message in messages]
    parents = [message.parent_id for message in messages]
    assert parents == [None, *(message.message_id for message in messages[:-1])]


async def test_a_key_is_free_after_a_day(settings: Settings, ada: Caller) -> None:
    send = Send("Hi", "c", idempotency_key="k")
    async with opened(settings) as database:
        store = PostgresTurnStore(database, database)
        assert await store.begin(new_turn(ada.owner_id, uuid7(), send), 5)
        with psycopg.connect(settings.conninfo) as owner:
            owner.execute("update chat.send_keys set expire_time = now()")

        assert await store.find_send(ada.owner_id, "k") is None
        assert await store.begin(new_turn(ada.owner_id, uuid7(), send), 5)
        assert await store.find_send(ada.owner_id, "k") is not None


async def test_the_requests_after_a_restart_of_the_database_succeed(
    settings: Settings, ada: Caller
) -> None:
    async with opened(settings) as database:
        store = PostgresTurnStore(database, database)
        for _ in range(3):
            await asyncio.gather(*(store.last_choice(ada.owner_id, "c") for _ in range(8)))
            with psycopg.connect(settings.conninfo, autocommit=True) as owner:
                owner.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                    " where application_name = %s and datname = current_database()",
                    [ROLE],
                )
            await asyncio.sleep(0.05)
            async with asyncio.timeout(5):
                await asyncio.gather(*(store.last_choice(ada.owner_id, "c") for _ in range(8)))


async def test_a_turn_survives_the_loss_of_all_connections(settings: Settings, ada: Caller) -> None:
    gate = asyncio.Event()
    async with opened(settings) as database, running(postgres_edges(database)) as world:
        world.providers.script = ["Hello", gate, " again"]
        events = world.server.replies.send(ada, Send("Hi", "c"))
        told = [await anext(events), await anext(events)]
        with psycopg.connect(settings.conninfo, autocommit=True) as owner:
            owner.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where application_name = %s and datname = current_database()",
                [ROLE],
            )
        gate.set()
        told += [event async for event in events]

        start = told[0]
        assert isinstance(start, Start)
        reply = await world.edges.replies.find_reply(ada.owner_id, "c", start.message_id)

    assert reply is not None
    assert ("Hello again", "complete") == (reply.content, reply.status)


async def test_a_database_that_is_away_is_told_quickly(ada: Caller) -> None:
    database = Database("host=127.0.0.1 port=1", connections=1)
    await database.open()
    try:
        async with asyncio.timeout(2):
            with pytest.raises(DatabaseUnavailable):
                await PostgresTurnStore(database, database).last_choice(ada.owner_id, "c")
        async with asyncio.timeout(0.5):
            assert not await database.answers()
    finally:
        await database.aclose()


async def test_a_locked_row_is_told_in_time(settings: Settings, ada: Caller) -> None:
    async with opened(settings) as database:
        store = PostgresTurnStore(database, database)
        await store.begin(new_turn(ada.owner_id, uuid7(), Send("Hi", "c")), 5)
        with psycopg.connect(settings.conninfo) as other:
            other.execute("select from chat.chats for update")
            async with asyncio.timeout(3):
                with pytest.raises(DatabaseUnavailable):
                    await store.begin(new_turn(ada.owner_id, uuid7(), Send("Hi", "c")), 5)


async def test_a_frozen_server_is_told_in_time(settings: Settings) -> None:
    database = Database(settings.conninfo, connections=1, answer_within=0.5)
    await database.open()
    try:
        async with asyncio.timeout(3):
            with pytest.raises(DatabaseUnavailable):
                async with database.connection() as connection:
                    await connection.execute("select pg_sleep(4)")
        assert await database.answers()
    finally:
        await database.aclose()


async def test_the_process_serves_and_stops_when_told(settings: Settings) -> None:
    environment = {
        **os.environ,  # noqa: TID251  (a child's)
        "DATABASE_URL": settings.conninfo,
        "CHAT_PORT": "0",
        **Installation().environment("chat_service"),
    }
    child = subprocess.Popen(  # noqa: ASYNC220  (a child whose signals matter, not its output)
        [sys.executable, "-m", "parley_chat_service", "serve"], env=environment
    )
    try:
        with psycopg.connect(settings.conninfo, autocommit=True) as owner:
            workers = "select 1 from chat.workers"
            await until(lambda: owner.execute(workers).fetchone())
            child.send_signal(signal.SIGTERM)
            assert 0 == await asyncio.to_thread(child.wait, 10)
            assert owner.execute(workers).fetchone() is None
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(("seconds", "left"), [(600.0, 2), (-30.0, 0)])
async def test_what_was_never_asked_for_is_forgotten_behind_its_deadline(
    settings: Settings, ada: Caller, seconds: float, left: int
) -> None:
    ended, swept = (
        new_turn(ada.owner_id, uuid7(), Send("Hi", name), seconds=seconds) for name in "ab"
    )
    async with opened(settings) as database:
        edges = postgres_edges(database)
        await edges.turns.begin(ended, 5)
        await edges.turns.begin(swept, 5)
        assert await edges.turns.end(replace(ending(ended), unsettled=True))
        assert 1 == await edges.workers.sweep(uuid7(), [], 15)
        names = await edges.usages.unsettled(UUID(int=0), 10)

        await edges.usages.give_up(names)

        assert {ended.message_id, swept.message_id} == set(names)
        assert left == len(await edges.usages.unsettled(UUID(int=0), 10))
