"""Migrations as real processes: many at once, killed in the middle, behind a long transaction."""

from __future__ import annotations

import importlib
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from parley_tests.database import fresh_database
from parley_tests.migrating import (
    ended,
    migrated,
    objects,
    prepared,
    said,
    schema_of,
    start_migrate,
    version,
    wait_for,
)
from parley_tests.platform import SERVICES, Platform
from psycopg import sql

pytestmark = pytest.mark.integration

# The tables at which a migration is killed: first, last, and in the middle of a migration.
STOPS = [
    ("chat_service", "chats"),
    ("chat_service", "attachments"),
    ("chat_service", "unsettled"),
    ("provider_service", "provider_usage_default"),
    ("provider_service", "usage_days"),
    ("prompt_service", "system_prompt_versions"),
    ("gateway", "rate_limits"),
]
HOLDS_LOCK = """
select from pg_locks
 where locktype = 'advisory' and granted
   and database = (select oid from pg_database where datname = current_database())"""
WAITS = """
select pid from pg_stat_activity
 where datname = current_database() and wait_event_type = 'Lock'"""


@pytest.fixture(scope="module")
def whole(database_server: str) -> dict[tuple[str, str], list[str]]:
    """What each schema holds at each revision, as migrations alone make it."""
    found = {}
    for service in SERVICES:
        schema = schema_of(service)
        with fresh_database(database_server) as url:
            for number in range(1, 100):
                prepared(url, service, f"{number:04}")
                found[schema, f"{number:04}"] = objects(url, schema)
                head = importlib.import_module(f"parley_{service}.adapters.database")
                if head.SCHEMA_REVISION == f"{number:04}":
                    break
    return found


def head_of(whole: dict[tuple[str, str], list[str]], schema: str) -> str:
    return max(revision for name, revision in whole if name == schema)


def assert_whole(url: str, schema: str, whole: dict[tuple[str, str], list[str]]) -> None:
    """It has all of one revision, or nothing but the empty table that will hold its number."""
    found = version(url, schema)
    if found:
        [revision] = found
        assert whole[schema, revision] == objects(url, schema)
    else:
        kept = [line for line in objects(url, schema) if "alembic_version" not in line]
        assert kept in ([], ["schema "])


def assert_current(url: str, schema: str, whole: dict[tuple[str, str], list[str]]) -> None:
    assert [head_of(whole, schema)] == version(url, schema)
    assert whole[schema, head_of(whole, schema)] == objects(url, schema)


@contextmanager
def stopped_at(url: str, schema: str, table: str) -> Iterator[None]:
    """Make a migration wait where it makes a table: somebody is making it, or so it seems."""
    with psycopg.connect(url, autocommit=True) as owner:
        names = sql.Identifier(schema, table)
        owner.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        with owner.transaction(force_rollback=True):
            owner.execute(sql.SQL("create table {} ()").format(names))
            yield


def settings_of(url: str, logs: Path) -> dict[str, str]:
    return Platform(url, logs, {}).environment


def test_ten_at_once_are_one(
    database_url: str, tmp_path: Path, whole: dict[tuple[str, str], list[str]]
) -> None:
    environment = settings_of(database_url, tmp_path)
    ten = [start_migrate("chat_service", environment) for _ in range(10)]
    with ended(*ten):
        outputs = "".join(map(said, ten))

    assert_current(database_url, "chat", whole)
    revisions = [number for schema, number in whole if schema == "chat"]
    assert [1] * len(revisions) == [outputs.count(f" -> {number}, ") for number in revisions]


def test_all_services_at_once_are_not_in_each_others_way(
    database_url: str, tmp_path: Path, whole: dict[tuple[str, str], list[str]]
) -> None:
    environment = settings_of(database_url, tmp_path)
    twelve = [start_migrate(service, environment) for _ in range(3) for service in SERVICES]
    with ended(*twelve):
        outputs = "".join(map(said, twelve))

    assert len(SERVICES) == outputs.count(" -> 0001, ")
    for service in SERVICES:
        assert_current(database_url, schema_of(service), whole)


@pytest.mark.parametrize(("service", "table"), STOPS)
def test_one_that_is_killed_leaves_nothing_half_and_the_next_is_clean(
    database_url: str,
    tmp_path: Path,
    whole: dict[tuple[str, str], list[str]],
    service: str,
    table: str,
) -> None:
    """And until PostgreSQL has given up its last statement, no other can begin."""
    schema = schema_of(service)
    with (
        stopped_at(database_url, schema, table),
        psycopg.connect(database_url, autocommit=True) as owner,
    ):
        killed = start_migrate(service, settings_of(database_url, tmp_path))
        with ended(killed):
            [pid] = wait_for(lambda: owner.execute(WAITS).fetchone())
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        waits = "select from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        # What is read first was so before: a lock that is free while the statement waits on was
        # given up too early.
        while True:
            lock_held = owner.execute(HOLDS_LOCK).rowcount
            if not owner.execute(waits, [pid]).rowcount:
                break
            assert 1 == lock_held
        wait_for(lambda: not owner.execute(HOLDS_LOCK).rowcount)
        assert_whole(database_url, schema, whole)

    migrated(database_url, service)
    assert_current(database_url, schema, whole)


@pytest.mark.parametrize("seed", range(8))
def test_one_that_is_killed_at_any_moment(
    database_url: str, tmp_path: Path, whole: dict[tuple[str, str], list[str]], seed: int
) -> None:
    delay = random.Random(seed).uniform(0, 0.2)  # noqa: S311  (no secret)
    with psycopg.connect(database_url, autocommit=True) as owner:
        killed = start_migrate("chat_service", settings_of(database_url, tmp_path))
        with ended(killed):
            wait_for(lambda: owner.execute(HOLDS_LOCK).rowcount or killed.poll() is not None)
            time.sleep(delay)
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        wait_for(lambda: not owner.execute(HOLDS_LOCK).rowcount)
    assert_whole(database_url, "chat", whole)

    migrated(database_url, "chat_service")
    assert_current(database_url, "chat", whole)


def test_behind_a_long_transaction_it_waits_and_nobody_else_is_refused(
    database_url: str, tmp_path: Path, whole: dict[tuple[str, str], list[str]]
) -> None:
    """While it waits for a table, others wait behind it: for less than they would give up after."""
    prepared(database_url, "chat_service", "0002")
    module = importlib.import_module("parley_chat_service.adapters.database")
    options = f"-c role={module.ROLE} {module.OPTIONS}"
    query = "select count(*) from messages"
    with (
        psycopg.connect(database_url) as long,
        psycopg.connect(database_url, autocommit=True, options=options) as service,
    ):
        long.execute("select from chat.messages")
        migration = start_migrate("chat_service", settings_of(database_url, tmp_path))
        with ended(migration):
            waits = 0
            while waits < 3:
                assert migration.poll() is None
                began = time.monotonic()
                service.execute(query)
                waits += time.monotonic() - began > 0.3
            assert ["0002"] == version(database_url, "chat")
            long.commit()
            said(migration)

    assert_current(database_url, "chat", whole)


@pytest.mark.parametrize("service", SERVICES)
def test_the_release_before_leaves_a_newer_schema_as_it_is(database_url: str, service: str) -> None:
    """Whoever goes back to it migrates first, as always."""
    schema = schema_of(service)
    migrated(database_url, service)
    with psycopg.connect(database_url) as owner:
        versions, later = (sql.Identifier(schema, name) for name in ("alembic_version", "later"))
        owner.execute(sql.SQL("update {} set version_num = '9999'").format(versions))
        owner.execute(sql.SQL("create table {} ()").format(later))
    before = objects(database_url, schema)
    migrated(database_url, service)

    assert (["9999"], before) == (version(database_url, schema), objects(database_url, schema))


def test_who_serves_waits_for_the_migration(database_url: str, tmp_path: Path) -> None:
    """Started before it, during it, and while it runs once more."""
    platform = Platform(database_url, tmp_path, {})
    body = {"message": "/echo Hi", "chat_id": "c"}
    with httpx.Client(base_url=platform.url, timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {platform.environment['API_KEY']}"

        def health() -> int:
            try:
                return client.get("/health").status_code
            except httpx.TransportError:
                return 0

        try:
            for name in SERVICES:
                platform.start_one(name)
            wait_for(health)
            assert (503, 503) == (health(), client.post("/chat", json=body).status_code)
            platform.migrate()
            platform.wait_until_healthy()
            assert "Hi" == client.post("/chat", json=body).json()["response"]
            platform.migrate()
            assert (200, 200) == (health(), client.post("/chat", json=body).status_code)
            assert {None} == {process.poll() for process in platform.processes.values()}
        finally:
            platform.stop()
