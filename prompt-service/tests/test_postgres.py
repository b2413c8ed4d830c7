"""What only a real PostgreSQL can show: migrations, rights, replicas, races."""

from __future__ import annotations

import asyncio
from uuid import UUID

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from parley_prompt_service.adapters.database import SCHEMA, Database
from parley_prompt_service.adapters.tables import metadata
from parley_prompt_service.core.model import Draft
from parley_prompt_service.core.ports import PromptStore
from parley_prompt_service.core.prompts import CUSTOM, title_of
from parley_prompt_service.migrations.upgrade import migrate
from parley_prompt_service.settings import Settings
from parley_rpc.faults import DatabaseUnavailable
from pydantic import SecretStr
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

pytestmark = pytest.mark.integration

Replicas = tuple[PromptStore, PromptStore]


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


def test_migrating_again_changes_nothing(settings: Settings) -> None:
    assert 0 == migrate(settings)


async def test_a_database_is_ready_when_it_is_migrated(database_url: str) -> None:
    database = Database(database_url, connections=1)
    await database.open()
    try:
        before = await database.answers()
        await asyncio.to_thread(migrate, Settings(database_url=SecretStr(database_url)))
        assert (False, True) == (before, await database.answers())
    finally:
        await database.aclose()


async def test_the_services_role_cannot_change_the_schema(settings: Settings) -> None:
    database = Database(settings.conninfo, connections=1)
    await database.open()
    try:
        with pytest.raises(DatabaseUnavailable):
            await database.fetch("drop table active_prompts", {})
    finally:
        await database.aclose()


async def test_an_activation_is_seen_by_the_other_replica(replicas: Replicas, ada: UUID) -> None:
    one, other = replicas
    await one.create(Draft(ada, title_of("Pirate"), "Arr.", ""))
    for turn in range(20):
        prompt_id = "pirate" if turn % 2 else "code-assistant"
        await one.activate(ada, prompt_id)
        assert prompt_id == (await other.active(ada)).prompt_id


async def test_twenty_at_once_set_the_prompt_without_losing_a_version(
    replicas: Replicas, ada: UUID, settings: Settings
) -> None:
    drafts = [Draft(ada, CUSTOM, f"Text {number}.", "") for number in range(20)]

    await asyncio.gather(*(replicas[n % 2].set_active(draft) for n, draft in enumerate(drafts)))

    with psycopg.connect(settings.conninfo) as owner:
        rows = owner.execute(
            "select v.version, v.content from prompt.system_prompt_versions v"
            " join prompt.system_prompts p using (prompt_uid) where p.owner_id = %s order by 1",
            [ada],
        ).fetchall()
    assert list(range(1, 21)) == [version for version, _ in rows]
    assert {draft.content for draft in drafts} == {content for _, content in rows}
    assert rows[-1][1] == (await replicas[0].active(ada)).content


async def test_one_of_two_who_make_the_same_prompt_wins(replicas: Replicas, ada: UUID) -> None:
    draft = Draft(ada, title_of("Pirate"), "Arr.", "")

    made = await asyncio.gather(*(store.create(draft) for store in [*replicas] * 4))

    assert 1 == sum(prompt is not None for prompt in made)


async def test_activating_what_is_being_deleted_never_fails(replicas: Replicas, ada: UUID) -> None:
    for _ in range(20):
        await replicas[0].create(Draft(ada, title_of("Pirate"), "Arr.", ""))
        await asyncio.gather(replicas[0].delete(ada, "pirate"), replicas[1].activate(ada, "pirate"))

        assert "default" == (await replicas[0].active(ada)).prompt_id


async def test_a_database_that_is_away_is_told_quickly(ada: UUID) -> None:
    database = Database("host=127.0.0.1 port=1", connections=1)
    await database.open()
    try:
        async with asyncio.timeout(2):
            with pytest.raises(DatabaseUnavailable):
                await database.fetch("select %(owner)s", {"owner": ada})
        async with asyncio.timeout(2):
            assert not await database.answers()
    finally:
        await database.aclose()
