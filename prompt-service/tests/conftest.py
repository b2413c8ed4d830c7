"""Two users, and prompt stores: one in memory, one in a real PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from parley_prompt_service.adapters.database import Database
from parley_prompt_service.adapters.store import PostgresPromptStore
from parley_prompt_service.core.ports import PromptStore
from parley_prompt_service.migrations.upgrade import migrate
from parley_prompt_service.settings import Settings
from pydantic import SecretStr

from .fakes import MemoryPromptStore


@pytest.fixture
def ada() -> UUID:
    return UUID("0198a000-0000-7000-8000-00000000000a")


@pytest.fixture
def bob() -> UUID:
    return UUID("0198a000-0000-7000-8000-00000000000b")


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings of a service with a migrated database of its own."""
    settings = Settings(database_url=SecretStr(database_url))
    assert migrate(settings) == 0
    return settings


@contextlib.asynccontextmanager
async def postgres_store(settings: Settings) -> AsyncIterator[PostgresPromptStore]:
    database = Database(settings.conninfo, connections=4)
    await database.open()
    try:
        yield PostgresPromptStore(database)
    finally:
        await database.aclose()


@pytest.fixture
async def replicas(settings: Settings) -> AsyncIterator[tuple[PromptStore, PromptStore]]:
    """Two stores with pools of their own, as two processes would have."""
    async with postgres_store(settings) as one, postgres_store(settings) as other:
        yield one, other


@pytest.fixture(
    params=[
        pytest.param("memory", marks=pytest.mark.unit),
        pytest.param("postgres", marks=pytest.mark.integration),
    ]
)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[PromptStore]:
    """Every store there is: a test that asks for it runs against the fake and the real one."""
    if request.param == "memory":
        yield MemoryPromptStore()
        return
    async with postgres_store(request.getfixturevalue("settings")) as found:
        yield found
