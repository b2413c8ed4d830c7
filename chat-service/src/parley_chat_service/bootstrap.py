"""The composition root: here, and nowhere else, concrete classes meet."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

import uvloop
from parley_rpc.client import Peer
from parley_rpc.keys import SERVICE, IdentityError, Source, Watched, private_key, trusted_keys
from parley_rpc.server import Probe, Server, always_ready
from parley_rpc.tls import Tls
from parley_rpc.tokens import Credential
from parley_rpc.trust import Doorkeeper, Trust
from typing_extensions import override

from parley.chat.v1.chat_pb2_grpc import add_ChatServiceServicer_to_server
from parley_chat_service.adapters.database import JOBS, Database
from parley_chat_service.adapters.prompts import GrpcPrompts
from parley_chat_service.adapters.providers import GrpcProviders
from parley_chat_service.adapters.store.chats import PostgresChatStore
from parley_chat_service.adapters.store.replies import PostgresReplyStore
from parley_chat_service.adapters.store.turns import PostgresTurnStore
from parley_chat_service.adapters.store.usages import PostgresUsageStore
from parley_chat_service.adapters.store.workers import PostgresWorkerStore
from parley_chat_service.adapters.usages import GrpcUsages
from parley_chat_service.api.servicer import NAME, ChatServicer
from parley_chat_service.core.chats import Chats
from parley_chat_service.core.faults import DOMAIN
from parley_chat_service.core.following import Following
from parley_chat_service.core.generation import Generation
from parley_chat_service.core.journal import Journal
from parley_chat_service.core.ports import (
    ChatStore,
    Prompts,
    Providers,
    ReplyStore,
    TurnStore,
    Usages,
    UsageStore,
    WorkerStore,
)
from parley_chat_service.core.replies import Limits, Replies
from parley_chat_service.core.settling import Settling
from parley_chat_service.core.stops import Stops
from parley_chat_service.core.streams import Streams
from parley_chat_service.core.worker import END_WITHIN_SECONDS, Worker
from parley_chat_service.settings import Settings

# For leases and for the text and the endings of running turns: short statements, few at a time.
RUNNING_CONNECTIONS = 2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Edges:
    """Everything outside that the core works with."""

    chats: ChatStore
    turns: TurnStore
    replies: ReplyStore
    workers: WorkerStore
    usages: UsageStore
    providers: Providers
    ledger: Usages
    prompts: Prompts
    probe: Probe = always_ready


class ChatServer(Server):
    """The server, and the worker whose turns it gives time to end when it stops."""

    def __init__(self, settings: Settings, edges: Edges, trust: Doorkeeper) -> None:
        self.worker = Worker(edges.workers)
        self.database_answers = edges.probe
        super().__init__(DOMAIN, trust, probe=self.is_well, reflect=settings.grpc_reflection)
        self.journal = Journal(edges.turns, self.worker)
        self.chats = Chats(edges.chats, self.worker.interrupt)
        self.settling = Settling(edges.usages, edges.ledger)
        unwatched = settings.unwatched_seconds
        self.following = Following(edges.replies, tells=unwatched > 0)
        self.streams = Streams(edges.replies, self.worker, self.following)
        self.stops = Stops(edges.replies, self.worker, self.streams, unwatched)
        self.replies = Replies(
            edges.prompts,
            Generation(
                edges.turns,
                edges.providers,
                self.worker,
                self.settling.note,
                settings.patience_seconds,
            ),
            self.journal,
            self.streams,
            limits_of(settings),
        )
        servicer = ChatServicer(self.chats, self.replies, self.streams, self.stops)
        add_ChatServiceServicer_to_server(servicer, self.grpc)

    async def is_well(self) -> bool:
        """Say whether turns can be begun: the database is there, and our lease holds."""
        return await self.database_answers() and self.worker.held

    @override
    async def stop(self, grace: float) -> None:
        """Refuse new turns, let running ones end within `grace`, and tell who listens."""
        self.following.stop()
        listening = super().stop(grace + END_WITHIN_SECONDS)
        await asyncio.gather(listening, self.worker.drain(grace))

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Keep the worker's lease, write what its turns say, and look after the rest."""
        parts = (self.worker, self.journal, self.following, self.stops, self.settling)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(part.run()) for part in parts]
            yield
            for task in running:
                task.cancel()
        await self.worker.release()


def limits_of(settings: Settings) -> Limits:
    """Return what a turn may be, and how many of them."""
    return Limits(
        settings.max_message_chars,
        settings.max_turns,
        settings.max_replies_per_provider,
        settings.turn_seconds,
    )


def identity_of(settings: Settings) -> tuple[Trust, Credential]:
    """Return whom the service lets in, and how it is known to others; IdentityError."""
    tls = Tls.of(settings.grpc_tls_cert_file, settings.grpc_tls_key_file, settings.grpc_tls_ca_file)
    keys = Source("TRUSTED_KEYS", settings.trusted_keys, settings.trusted_keys_file)
    own = Source("SERVICE_KEY", settings.service_key.get_secret_value(), settings.service_key_file)
    trust = Trust(
        "chat", Watched(keys, trusted_keys), leeway=settings.clock_leeway_seconds, tls=tls
    )
    return trust, Credential(Watched(own, private_key(SERVICE)), tls)


@contextlib.asynccontextmanager
async def connected(settings: Settings, credential: Credential) -> AsyncIterator[Edges]:
    """Connect to the database and to the other services."""
    database = Database(settings.conninfo, connections=settings.db_connections)
    running = Database(settings.conninfo, connections=RUNNING_CONNECTIONS, role=JOBS)
    providers = Peer("provider", settings.provider_address, credential)
    prompts = Peer("prompt", settings.prompt_address, credential)
    await database.open()
    await running.open()
    try:
        yield Edges(
            chats=PostgresChatStore(database),
            turns=PostgresTurnStore(database, running),
            replies=PostgresReplyStore(database),
            workers=PostgresWorkerStore(running),
            usages=PostgresUsageStore(database),
            providers=GrpcProviders(providers),
            ledger=GrpcUsages(providers),
            prompts=GrpcPrompts(prompts),
            probe=database.answers,
        )
    finally:
        await providers.aclose()
        await prompts.aclose()
        await running.aclose()
        await database.aclose()


async def run(settings: Settings) -> None:
    """Serve until told to stop; IdentityError."""
    trust, credential = identity_of(settings)
    async with connected(settings, credential) as edges:
        server = ChatServer(settings, edges, trust)
        await server.start(f"{settings.grpc_host}:{settings.chat_port}", [NAME])
        async with server.working():
            await server.run(grace=settings.grace_seconds)


def serve(settings: Settings) -> int:
    """Serve until told to stop, and return the exit code."""
    try:
        uvloop.run(run(settings))
    except IdentityError as error:
        logger.error("settings are missing", extra={"fields": {"missing": str(error)}})  # noqa: TRY400  (says it all)
        return 1
    return 0
