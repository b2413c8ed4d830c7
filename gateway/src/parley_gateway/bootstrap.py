"""The composition root: the only place where concrete classes meet."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import uvloop
from fastapi import FastAPI
from parley_rpc.faults import DatabaseUnavailable

from parley.chat.v1.chat_pb2_grpc import ChatServiceStub
from parley.prompt.v1.prompt_pb2_grpc import PromptServiceStub
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub
from parley_gateway.adapters.clients import Client
from parley_gateway.adapters.database import JOBS, Database
from parley_gateway.adapters.key_store import PostgresKeyStore
from parley_gateway.adapters.limit_store import PostgresLimitStore
from parley_gateway.adapters.user_store import PostgresUserStore
from parley_gateway.api.app import build_app
from parley_gateway.api.dependencies import Gateway
from parley_gateway.api.server import build_server
from parley_gateway.core.keys import Keyring
from parley_gateway.core.limits import Limiter
from parley_gateway.core.load import Load
from parley_gateway.core.users import Accounts
from parley_gateway.settings import Settings

if TYPE_CHECKING:  # only the stubs' types know these
    from parley.chat.v1.chat_pb2_grpc import ChatServiceAsyncStub
    from parley.prompt.v1.prompt_pb2_grpc import PromptServiceAsyncStub
    from parley.provider.v1.provider_pb2_grpc import ProviderServiceAsyncStub

LOOK_AGAIN_SECONDS = 0.2
# For what users do with their own keys; everything else is done for all of them together.
OWN_CONNECTIONS = 2
# As many turns as a chat service runs may wait for it besides, each for a moment.
QUEUE = 2

logger = logging.getLogger(__name__)


class Parts:
    """Everything that is opened and closed again. Must be made in a running loop."""

    def __init__(self, settings: Settings) -> None:
        self.database = Database(
            settings.conninfo, connections=OWN_CONNECTIONS, jobs=settings.db_connections
        )
        # One connection of its own, for one statement in flight, which may be lost.
        self.counters = Database(settings.conninfo, connections=1, role=JOBS, durable=False)
        self.chat: Client[ChatServiceAsyncStub] = Client(
            "chat", settings.chat_address, ChatServiceStub
        )
        self.prompt: Client[PromptServiceAsyncStub] = Client(
            "prompt", settings.prompt_address, PromptServiceStub
        )
        self.provider: Client[ProviderServiceAsyncStub] = Client(
            "provider", settings.provider_address, ProviderServiceStub
        )
        keys = PostgresKeyStore(self.database)
        keyring = Keyring(
            keys,
            pepper=settings.key_pepper.get_secret_value(),
            admin_key=settings.api_key.get_secret_value(),
        )
        self.gateway = Gateway(
            keyring=keyring,
            limiter=Limiter(PostgresLimitStore(self.counters), settings.rate_limit_per_hour),
            accounts=Accounts(PostgresUserStore(self.database), keys, keyring),
            chat=self.chat,
            prompt=self.prompt,
            provider=self.provider,
            database_answers=self.database.answers,
            load=Load(QUEUE * settings.max_turns),
            turn_seconds=settings.turn_seconds,
            max_message_chars=settings.max_message_chars,
        )

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Open all of it without waiting for anybody, and close it again."""
        await self.database.open()
        await self.counters.open()
        preparing = asyncio.create_task(self.prepare())
        try:
            yield
        finally:
            preparing.cancel()
            await asyncio.wait({preparing})
            for part in (self.chat, self.prompt, self.provider, self.database, self.counters):
                await part.aclose()

    async def prepare(self) -> None:
        """Let the administrator in as soon as the schema is there."""
        while True:
            with contextlib.suppress(DatabaseUnavailable):
                if await self.database.answers():
                    await self.gateway.accounts.prepare()
                    return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def run(settings: Settings) -> None:
    """Serve until asked to stop."""
    parts = Parts(settings)
    app = build_app(parts.gateway, parts.lifespan)
    server = build_server(app, settings.gateway_host, settings.gateway_port, settings.grace_seconds)
    await server.serve()


def serve(settings: Settings) -> int:
    """Run the gateway in its own loop; return 0 after a graceful stop."""
    if settings.missing:
        logger.error("settings are missing", extra={"fields": {"missing": settings.missing}})
        return 1
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings))
    return 0
