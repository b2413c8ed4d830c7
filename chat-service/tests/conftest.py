"""A caller, the stores in memory and in a real PostgreSQL, and a service around them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from parley_chat_service.adapters.database import Database
from parley_chat_service.adapters.store.chats import PostgresChatStore
from parley_chat_service.adapters.store.replies import PostgresReplyStore
from parley_chat_service.adapters.store.turns import PostgresTurnStore
from parley_chat_service.adapters.store.usages import PostgresUsageStore
from parley_chat_service.adapters.store.workers import PostgresWorkerStore
from parley_chat_service.bootstrap import ChatServer, Edges
from parley_chat_service.core.model import Caller
from parley_chat_service.migrations.upgrade import migrate
from parley_chat_service.settings import Settings
from parley_tests.believing import OpenToAnybody
from pydantic import SecretStr

from .fakes import OnePrompt, ScriptedLedger, ScriptedProviders, until
from .memory import MemoryStore


@dataclass
class World:
    """A service and everything around it."""

    edges: Edges
    server: ChatServer
    providers: ScriptedProviders
    ledger: ScriptedLedger
    prompts: OnePrompt


@pytest.fixture
def ada() -> Caller:
    return Caller(UUID("0198a000-0000-7000-8000-00000000000a"))


@pytest.fixture
def bob() -> Caller:
    return Caller(UUID("0198a000-0000-7000-8000-00000000000b"))


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings of a service with a migrated database of its own."""
    settings = Settings(database_url=SecretStr(database_url))
    assert 0 == migrate(settings)
    return settings


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.conninfo, connections=4)
    await database.open()
    try:
        yield database
    finally:
        await database.aclose()


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    async with opened(settings) as found:
        yield found


def memory_edges(store: MemoryStore) -> Edges:
    providers, ledger = ScriptedProviders(), ScriptedLedger()
    return Edges(store, store, store, store, store, providers, ledger, OnePrompt())


def postgres_edges(database: Database) -> Edges:
    return Edges(
        PostgresChatStore(database),
        PostgresTurnStore(database, database),
        PostgresReplyStore(database),
        PostgresWorkerStore(database),
        PostgresUsageStore(database),
        ScriptedProviders(),
        ScriptedLedger(),
        OnePrompt(),
        database.answers,
    )


@pytest.fixture(
    params=[
        pytest.param("memory", marks=pytest.mark.unit),
        pytest.param("postgres", marks=pytest.mark.integration),
    ]
)
async def edges(request: pytest.FixtureRequest) -> AsyncIterator[Edges]:
    """Every kind of store: a test that asks for it runs against the fake and the real one."""
    if request.param == "memory":
        yield memory_edges(MemoryStore())
        return
    async with opened(request.getfixturevalue("settings")) as database:
        yield postgres_edges(database)


@contextlib.asynccontextmanager
async def running(edges: Edges, settings: Settings | None = None) -> AsyncIterator[World]:
    """Run a service without its socket."""
    server = ChatServer(settings or Settings(), edges, OpenToAnybody())
    async with server.working():
        await until(lambda: server.worker.held)
        assert isinstance(edges.providers, ScriptedProviders)
        assert isinstance(edges.ledger, ScriptedLedger)
        assert isinstance(edges.prompts, OnePrompt)
        yield World(edges, server, edges.providers, edges.ledger, edges.prompts)


@pytest.fixture
async def world(edges: Edges) -> AsyncIterator[World]:
    async with running(edges) as found:
        yield found


@pytest.fixture
async def impatient(edges: Edges) -> AsyncIterator[World]:
    """A service that waits for a provider service that is away, but half a second."""
    async with running(edges, Settings(patience_seconds=0.5)) as found:
        yield found


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def small_world(memory: MemoryStore) -> AsyncIterator[World]:
    """A service whose stores can be looked into and sent away."""
    async with running(memory_edges(memory)) as found:
        yield found
