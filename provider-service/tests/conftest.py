"""Ledgers and catalogue stores, in memory and in a real PostgreSQL; and what a test asks for."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from parley_provider_sdk import Message, ReplyRequest, Role, TextPart
from parley_provider_service.adapters.database import Database
from parley_provider_service.adapters.ledger import PostgresLedger
from parley_provider_service.adapters.store import PostgresCatalogStore
from parley_provider_service.core.model import Ask, ModelChoice
from parley_provider_service.core.ports import CatalogStore, Ledger
from parley_provider_service.migrations.upgrade import migrate
from parley_provider_service.settings import Settings
from pydantic import SecretStr
from uuid_utils.compat import uuid7

from .books import Books, MemoryLedger
from .fakes import MemoryCatalogStore

EVERYWHERE = [
    pytest.param("memory", marks=pytest.mark.unit),
    pytest.param("postgres", marks=pytest.mark.integration),
]
NewLedger = Callable[..., Ledger]
NewAsk = Callable[..., Ask]


@pytest.fixture
def ada() -> UUID:
    return UUID("0198a000-0000-7000-8000-00000000000a")


@pytest.fixture
def bob() -> UUID:
    return UUID("0198a000-0000-7000-8000-00000000000b")


@pytest.fixture
def new_ask(ada: UUID) -> NewAsk:
    """Make what somebody wants; `text` is what the user says, the rest goes to the request."""

    def new_ask(
        text: str = "Hello!",
        *,
        provider: str = "acme",
        seconds: float = 5.0,
        fallbacks: Sequence[ModelChoice] = (),
        dialect: str = "",
        **request: Any,
    ) -> Ask:
        messages = [Message(Role.USER, [TextPart(text)])]
        fields = {"model": "small", "messages": messages, **request}
        asked = ReplyRequest(**fields)
        whose = (uuid7(), ada, "key")
        return Ask(*whose, provider, asked, seconds, fallbacks, options_dialect=dialect)

    return new_ask


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings of a service with a migrated database of its own."""
    settings = Settings(database_url=SecretStr(database_url))
    assert migrate(settings) == 0
    return settings


@pytest.fixture
def port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


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


@pytest.fixture(params=EVERYWHERE)
async def new_ledger(request: pytest.FixtureRequest) -> AsyncIterator[NewLedger]:
    """Make the ledger of one more process on the same books, in memory and in PostgreSQL."""
    if request.param == "memory":
        books = Books()
        yield lambda lease_seconds=10.0: MemoryLedger(books, lease_seconds)
        return
    async with opened(request.getfixturevalue("settings")) as database:
        yield lambda lease_seconds=10.0: PostgresLedger(database, uuid4(), lease_seconds)


@pytest.fixture(params=EVERYWHERE)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[CatalogStore]:
    """Every catalogue store there is."""
    if request.param == "memory":
        yield MemoryCatalogStore()
        return
    async with opened(request.getfixturevalue("settings")) as database:
        yield PostgresCatalogStore(database)
