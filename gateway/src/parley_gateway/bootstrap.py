"""The composition root: the only place where concrete classes meet."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING

import uvloop
from fastapi import FastAPI
from parley_rpc.faults import DatabaseUnavailable
from parley_rpc.keys import CONTEXT, SERVICE, IdentityError, Source, Watched, private_key
from parley_rpc.tls import Tls
from parley_rpc.tokens import Credential
from parley_rpc.vouching import Voucher

from parley.chat.v1.chat_pb2_grpc import ChatServiceStub
from parley.prompt.v1.prompt_pb2_grpc import PromptServiceStub
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub
from parley_gateway.adapters.audit_store import PostgresAuditStore
from parley_gateway.adapters.clients import Client
from parley_gateway.adapters.database import JOBS, Database
from parley_gateway.adapters.key_store import PostgresKeyStore
from parley_gateway.adapters.limit_store import PostgresLimitStore
from parley_gateway.adapters.turns import ChatTurns
from parley_gateway.adapters.user_store import PostgresUserStore
from parley_gateway.api.addresses import Proxies
from parley_gateway.api.app import build_app, document
from parley_gateway.api.dependencies import Gateway
from parley_gateway.api.door import Door
from parley_gateway.api.openapi import written
from parley_gateway.api.server import build_server
from parley_gateway.core.audit import Audit
from parley_gateway.core.failures import Failures
from parley_gateway.core.keys import LIVES_SECONDS, Keyring
from parley_gateway.core.limits import Limiter
from parley_gateway.core.load import Load
from parley_gateway.core.streams import Streams
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


def identity_of(settings: Settings) -> tuple[Credential, Voucher]:
    """Return how the services know the gateway, and how it vouches for users; IdentityError."""
    own = Source("SERVICE_KEY", settings.service_key.get_secret_value(), settings.service_key_file)
    signs = Source(
        "CONTEXT_KEY", settings.context_key.get_secret_value(), settings.context_key_file
    )
    tls = Tls.of(settings.grpc_tls_cert_file, settings.grpc_tls_key_file, settings.grpc_tls_ca_file)
    return (
        Credential(Watched(own, private_key(SERVICE)), tls),
        Voucher(Watched(signs, private_key(CONTEXT)), settings.context_fresh_seconds),
    )


class Parts:
    """Everything that is opened and closed again. Must be made in a running loop."""

    def __init__(self, settings: Settings) -> None:
        """Raise IdentityError when a key of the gateway's own is missing."""
        credential, voucher = identity_of(settings)
        self.database = Database(
            settings.conninfo, connections=OWN_CONNECTIONS, jobs=settings.db_connections
        )
        # One connection of its own, for one statement in flight, which may be lost.
        self.counters = Database(settings.conninfo, connections=1, role=JOBS, durable=False)
        self.chat: Client[ChatServiceAsyncStub] = Client(
            "chat", settings.chat_address, ChatServiceStub, credential
        )
        self.prompt: Client[PromptServiceAsyncStub] = Client(
            "prompt", settings.prompt_address, PromptServiceStub, credential
        )
        self.provider: Client[ProviderServiceAsyncStub] = Client(
            "provider", settings.provider_address, ProviderServiceStub, credential
        )
        keys = PostgresKeyStore(self.database)
        keyring = Keyring(
            keys,
            pepper=settings.key_pepper.get_secret_value(),
            admin_key=settings.api_key.get_secret_value(),
        )
        self.streams = Streams(keys, ChatTurns(self.chat, voucher))
        self.audit = Audit(PostgresAuditStore(self.database))
        self.gateway = Gateway(
            keyring=keyring,
            limiter=Limiter(PostgresLimitStore(self.counters), settings.rate_limit_per_hour),
            voucher=voucher,
            accounts=Accounts(PostgresUserStore(self.database), keys, keyring, self.streams),
            chat=self.chat,
            prompt=self.prompt,
            provider=self.provider,
            database_answers=self.database.answers,
            failures=Failures(settings.wrong_keys),
            door=Door(
                hosts=settings.allowed_hosts,
                origins=settings.cors_origins,
                proxies=Proxies(settings.trusted_proxies),
                docs=settings.docs,
                hsts_seconds=settings.hsts_seconds,
            ),
            load=Load(QUEUE * settings.max_turns),
            streams=self.streams,
            audit=self.audit,
            turn_seconds=settings.turn_seconds,
            max_message_chars=settings.max_message_chars,
        )

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Open all of it without waiting for anybody, and close it again."""
        await self.database.open()
        await self.counters.open()
        working = [
            asyncio.create_task(kept(work))
            for work in (self.prepare, self.streams.run, self.audit.run)
        ]
        try:
            yield
        finally:
            for task in working:
                task.cancel()
            await asyncio.wait(working)
            with contextlib.suppress(DatabaseUnavailable):
                await self.audit.flush()
            for part in (self.chat, self.prompt, self.provider, self.database, self.counters):
                await part.aclose()

    async def prepare(self) -> None:
        """Let the administrator in as soon as the schema is there, and heed their limits."""
        while True:
            with contextlib.suppress(DatabaseUnavailable):
                if self.gateway.keyring.administrator or await self.database.answers():
                    await self.gateway.accounts.prepare()
            known = self.gateway.keyring.administrator is not None
            await asyncio.sleep(LIVES_SECONDS if known else LOOK_AGAIN_SECONDS)


async def kept(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Do what is never done: what ends by a fault of ours is told, and begun again."""
    while True:
        task = asyncio.create_task(work())
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            await asyncio.wait({task})
        logger.error("failed", exc_info=task.exception())
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
        logger.error(
            "settings are missing or weak", extra={"fields": {"missing": settings.missing}}
        )
        return 1
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings))
    except IdentityError as error:
        logger.error("settings are missing", extra={"fields": {"missing": [str(error)]}})  # noqa: TRY400  (says it all)
        return 1
    return 0


def write_openapi(_settings: Settings) -> int:
    """Write the OpenAPI document to standard output, as it is kept beside the sources."""
    sys.stdout.write(written(document()))
    return 0
