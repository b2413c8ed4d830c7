"""What only a real PostgreSQL can show: migrations, partitions, rights, overrides."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from parley_provider_sdk import Usage
from parley_provider_service.adapters.database import SCHEMA, Database
from parley_provider_service.adapters.ledger import PostgresLedger
from parley_provider_service.adapters.ledger.reading import attempted, facts_of
from parley_provider_service.adapters.ledger.statements import SETTLE
from parley_provider_service.adapters.store import PostgresCatalogStore
from parley_provider_service.adapters.tables import metadata
from parley_provider_service.core.model import Attempted, Config, Hold, Model, Price, Settlement
from parley_provider_service.migrations.upgrade import migrate
from parley_provider_service.settings import Settings
from parley_rpc.faults import DatabaseUnavailable
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from uuid_utils.compat import uuid7

from .fakes import installed

pytestmark = pytest.mark.integration


def new_hold(owner: UUID, usage_id: UUID | None = None) -> Hold:
    return Hold(usage_id or uuid7(), owner, "key", "acme", "small", 10, None)


def owned(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.conninfo, autocommit=True) as owner:
        cursor = owner.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def test_migrations_and_tables_agree(settings: Settings) -> None:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(settings.conninfo),
        poolclass=NullPool,
    )

    def ours(name: str | None, kind: str, _: object) -> bool:
        is_partition = kind == "table" and (name or "").startswith("provider_usage_")
        return name == SCHEMA if kind == "schema" else not is_partition

    with engine.connect() as connection:
        options = {"include_schemas": True, "include_name": ours, "compare_server_default": True}
        differences = compare_metadata(
            MigrationContext.configure(connection, opts=options), metadata
        )

    # Alembic's own table stands beside ours.
    assert ["alembic_version"] == [change[1].name for change in differences]


def test_migrating_again_changes_nothing(settings: Settings) -> None:
    assert 0 == migrate(settings)


async def test_a_database_is_ready_when_it_is_migrated(database: Database) -> None:
    assert await database.answers()


async def test_the_services_role_cannot_change_the_schema(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        await database.fetch("drop table workers", {})


def test_this_and_the_next_month_have_partitions(settings: Settings) -> None:
    names = owned(
        settings,
        "select count(*) from pg_inherits where inhparent = 'provider.provider_usage'::regclass",
    )

    assert [(3,)] == names


async def test_a_row_lies_in_the_month_that_its_id_carries(
    database: Database, settings: Settings, ada: UUID
) -> None:
    ledger = PostgresLedger(database, uuid4())
    now, old = new_hold(ada), new_hold(ada, UUID("01800000-0000-7000-8000-000000000000"))

    assert all([await ledger.hold(now), await ledger.hold(old)])
    assert not await ledger.hold(old)

    rows = owned(settings, "select usage_id, tableoid::regclass::text from provider.provider_usage")
    parts = {usage_id: part for usage_id, part in rows}  # noqa: C416  (typed so)
    [month] = owned(settings, "select to_char(now() at time zone 'UTC', 'YYYY_MM')")
    assert f"provider.provider_usage_{month[0]}" == parts[now.usage_id]
    assert "provider.provider_usage_default" == parts[old.usage_id]


async def test_partitions_that_are_missing_are_made_by_whoever_sweeps(
    database: Database, settings: Settings
) -> None:
    before = partitions(settings)
    for (name,) in before:
        owned(settings, f"drop table {name}")

    ledgers = [PostgresLedger(database, uuid4()) for _ in range(4)]
    await asyncio.gather(*(ledger.sweep() for ledger in ledgers))

    assert before == partitions(settings)
    assert 2 == len(before)


async def test_a_month_that_the_default_partition_holds_stays_there(
    database: Database, settings: Settings, ada: UUID
) -> None:
    for (name,) in partitions(settings):
        owned(settings, f"drop table {name}")
    ledger, hold = PostgresLedger(database, uuid4()), new_hold(ada)
    await ledger.hold(hold)

    await ledger.sweep()

    assert await ledger.settle(Settlement(hold.usage_id, "stop", None, None, 0))
    assert 1 == len(partitions(settings))


def partitions(settings: Settings) -> list[tuple[object, ...]]:
    return owned(
        settings,
        "select inhrelid::regclass::text from pg_inherits"
        " where inhparent = 'provider.provider_usage'::regclass"
        " and inhrelid::regclass::text ~ '_[0-9]+$' order by 1",
    )


async def test_calls_settled_by_two_at_once_are_settled_once(database: Database, ada: UUID) -> None:
    ledgers = [PostgresLedger(database, uuid4()) for _ in range(2)]
    holds = [new_hold(ada) for _ in range(100)]
    await asyncio.gather(*(ledgers[0].hold(hold) for hold in holds))
    settlements = [Settlement(hold.usage_id, "stop", None, None, 0) for hold in holds]

    settled = await asyncio.gather(
        *(ledgers[0].settle(one) for one in settlements),
        *(ledgers[1].settle(one) for one in reversed(settlements)),
    )

    assert len(holds) == sum(settled)


async def test_what_an_administrator_decides_and_overrides_is_read(
    database: Database, settings: Settings
) -> None:
    store = PostgresCatalogStore(database)
    await store.configs([installed("acme")])
    listed = Model("acme", "small", "Small", 1_000, price=Price(1, 2, None, "list 1"))
    await store.save("acme", [listed])
    owned(
        settings,
        "update provider.provider_configs set enabled = false, default_model = 'small',"
        " priority = 5, is_default = true;"
        "update provider.provider_models"
        """ set overrides = '{"context_window": 9, "input_price": 7}';"""
        "insert into provider.provider_models (provider, name, place, listed, overrides,"
        """ added_by_hand) values ('acme', 'own', 9, '{}', '{"display_name": "Own"}', true)""",
    )

    configs, models = await store.configs([]), await store.save("acme", [listed])

    assert {"acme": Config(False, 5, True, "small")} == configs
    assert [
        Model("acme", "small", "Small", 9, price=Price(7, 2, None, "list 1"), overridden=True),
        Model("acme", "own", "Own", overridden=True),
    ] == list(models)


def test_the_driver_remembers_how_settlements_are_written() -> None:
    """It does for statements of so many characters."""
    assert len(SETTLE) <= 4_096


def test_an_attempt_is_read_by_the_release_before() -> None:
    """It takes five figures of a usage, and knows nothing of what was written to a cache."""
    usage = Usage(10, 20, 4, 5, cache_write_tokens=3, long_cache_write_tokens=2)
    facts = facts_of(Attempted("acme", "small", "stop", usage))
    old = {name: value for name, value in facts.items() if name != "cache_writes"}

    assert [10, 20, 4, 5, "reported"] == facts["usage"]
    assert usage == attempted(facts).usage
    assert Usage(10, 20, 4, 5) == attempted(old).usage


async def test_a_price_that_the_release_before_set_says_nothing_of_writes(
    database: Database, settings: Settings
) -> None:
    store = PostgresCatalogStore(database)
    await store.configs([installed("acme")])
    listed = Model("acme", "small", "Small", price=Price(1, 2, None, "list 1", 3, 4))
    assert [listed] == list(await store.save("acme", [listed]))
    price = '{"input_price": 7, "output_price": 8, "cached_input_price": null}'
    statement = f"update provider.provider_models set overrides = '{price}'"  # noqa: S608  (ours)
    owned(settings, statement)

    [model] = await store.models()

    assert Price(7, 8, None, "list 1") == model.price


async def test_settlement_waits_for_a_database_that_is_away(ada: UUID) -> None:
    away = Database("host=127.0.0.1 port=1", connections=1)
    await away.open()
    ledger = PostgresLedger(away, uuid4())
    settling = asyncio.create_task(ledger.settle(Settlement(uuid7(), "stop", None, None, 0)))

    with pytest.raises(DatabaseUnavailable):
        await ledger.hold(new_hold(ada))

    assert not settling.done()
    settling.cancel()
    await away.aclose()
