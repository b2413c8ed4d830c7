"""A gateway in front of fakes: through ASGI, or on a real socket where that matters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from parley_gateway.adapters.clients import Client
from parley_gateway.api.app import build_app
from parley_gateway.api.dependencies import Gateway
from parley_gateway.api.server import build_server
from parley_gateway.core.audit import Audit
from parley_gateway.core.keys import Keyring
from parley_gateway.core.limits import Limiter
from parley_gateway.core.load import Load
from parley_gateway.core.model import Role
from parley_gateway.core.streams import Streams
from parley_gateway.core.users import Accounts

from parley.chat.v1.chat_pb2_grpc import ChatServiceStub
from parley.prompt.v1.prompt_pb2_grpc import PromptServiceStub
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub

from .fakes import (
    Clock,
    FakeServices,
    MemoryLimitStore,
    Outage,
    Script,
)
from .memory import MemoryAuditStore, MemoryKeyStore, MemoryUserStore, NoTurns

ADMIN_KEY = "the administrator's key"
PEPPER = "a pepper for the tests"
LIMIT = 1000
MOST_TURNS = 3


@pytest.fixture
def outage() -> Outage:
    return Outage()


@pytest.fixture
def audit_store(outage: Outage) -> MemoryAuditStore:
    return MemoryAuditStore(outage)


@pytest.fixture
def user_store(outage: Outage, audit_store: MemoryAuditStore) -> MemoryUserStore:
    return MemoryUserStore(outage, audit_store)


@pytest.fixture
def key_store(outage: Outage, user_store: MemoryUserStore) -> MemoryKeyStore:
    return MemoryKeyStore(outage, user_store)


@pytest.fixture
def limit_store(outage: Outage) -> MemoryLimitStore:
    return MemoryLimitStore(outage)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keyring(key_store: MemoryKeyStore, clock: Clock) -> Keyring:
    return Keyring(key_store, pepper=PEPPER, admin_key=ADMIN_KEY, clock=clock)


@pytest.fixture
def no_turns() -> NoTurns:
    return NoTurns()


@pytest.fixture
def streams(key_store: MemoryKeyStore, no_turns: NoTurns) -> Streams:
    return Streams(key_store, no_turns)


@pytest.fixture
def audit(audit_store: MemoryAuditStore) -> Audit:
    return Audit(audit_store)


@pytest.fixture
def accounts(
    user_store: MemoryUserStore, key_store: MemoryKeyStore, keyring: Keyring, streams: Streams
) -> Accounts:
    return Accounts(user_store, key_store, keyring, streams)


@pytest.fixture
async def services() -> AsyncIterator[FakeServices]:
    services = FakeServices()
    await services.start()
    yield services
    await services.server.stop(0)


@pytest.fixture
def script(services: FakeServices) -> Script:
    return services.script


@pytest.fixture
async def gateway(
    services: FakeServices,
    keyring: Keyring,
    accounts: Accounts,
    limit_store: MemoryLimitStore,
    audit: Audit,
    outage: Outage,
) -> AsyncIterator[Gateway]:
    async def database_answers() -> bool:
        return not outage.now

    clients: list[Client[Any]] = [
        Client("chat", services.address, ChatServiceStub),
        Client("prompt", services.address, PromptServiceStub),
        Client("provider", services.address, ProviderServiceStub),
    ]
    chat, prompt, provider = clients
    await accounts.prepare()
    yield Gateway(
        keyring=keyring,
        limiter=Limiter(limit_store, LIMIT),
        accounts=accounts,
        chat=chat,
        prompt=prompt,
        provider=provider,
        database_answers=database_answers,
        load=Load(MOST_TURNS),
        streams=accounts.streams,
        audit=audit,
    )
    for client in clients:
        await client.aclose()


@pytest.fixture
def app(gateway: Gateway) -> FastAPI:
    return build_app(gateway)


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@pytest.fixture
async def client(stranger: httpx.AsyncClient) -> httpx.AsyncClient:
    """The administrator's client."""
    stranger.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
    return stranger


@pytest.fixture
async def user_key(accounts: Accounts, gateway: Gateway) -> str:
    """The key of an ordinary user."""
    administrator = gateway.keyring.administrator
    assert administrator
    user = await accounts.add_user(administrator, "ada", Role.USER)
    _, token = await accounts.add_key(administrator, "laptop", owner=user.user_id, expires_at=None)
    return token


@pytest.fixture
async def listen(app: FastAPI) -> AsyncIterator[Callable[[], Awaitable[httpx.AsyncClient]]]:
    """Serves on a real socket; what it returns is the administrator's client."""
    async with httpx.AsyncClient(headers={"x-api-key": ADMIN_KEY}, timeout=10) as client:
        server = build_server(app, "127.0.0.1", 0, grace=1)
        serving = asyncio.create_task(server.serve())

        async def listening() -> httpx.AsyncClient:
            while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
            return client

        yield listening
        server.should_exit = True
        await serving
