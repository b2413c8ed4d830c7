"""The composition root: the only place where concrete classes meet."""

from __future__ import annotations

import logging

import uvloop
from parley_rpc.keys import IdentityError, Source, Watched, trusted_keys
from parley_rpc.server import Probe, Server, always_ready
from parley_rpc.tls import Tls
from parley_rpc.trust import Doorkeeper, Trust

from parley.prompt.v1 import prompt_pb2
from parley.prompt.v1.prompt_pb2_grpc import add_PromptServiceServicer_to_server
from parley_prompt_service.adapters.database import Database
from parley_prompt_service.adapters.store import PostgresPromptStore
from parley_prompt_service.api.servicer import PromptServicer
from parley_prompt_service.core.ports import PromptStore
from parley_prompt_service.core.prompts import Prompts
from parley_prompt_service.settings import Settings

NAME = prompt_pb2.DESCRIPTOR.services_by_name["PromptService"].full_name

logger = logging.getLogger(__name__)


def trust_of(settings: Settings) -> Trust:
    """Return whom the service lets in; IdentityError."""
    keys = Source("TRUSTED_KEYS", settings.trusted_keys, settings.trusted_keys_file)
    return Trust(
        "prompt",
        Watched(keys, trusted_keys),
        leeway=settings.clock_leeway_seconds,
        tls=Tls.of(
            settings.grpc_tls_cert_file, settings.grpc_tls_key_file, settings.grpc_tls_ca_file
        ),
    )


def build_server(
    store: PromptStore, trust: Doorkeeper, *, probe: Probe = always_ready, reflect: bool = False
) -> Server:
    """Put a server together around a store."""
    server = Server("prompt.parley", trust, probe=probe, reflect=reflect)
    add_PromptServiceServicer_to_server(PromptServicer(Prompts(store)), server.grpc)
    return server


async def run(settings: Settings) -> None:
    """Serve until asked to stop; IdentityError."""
    trust = trust_of(settings)
    database = Database(settings.conninfo, connections=settings.db_connections)
    store = PostgresPromptStore(database)
    server = build_server(store, trust, probe=database.answers, reflect=settings.grpc_reflection)
    await database.open()
    try:
        await server.start(f"{settings.grpc_host}:{settings.prompt_port}", [NAME])
        await server.run(grace=settings.grace_seconds)
    finally:
        await database.aclose()


def serve(settings: Settings) -> int:
    """Run the service in its own loop; return 0 after a graceful stop."""
    try:
        uvloop.run(run(settings))
    except IdentityError as error:
        logger.error("settings are missing", extra={"fields": {"missing": str(error)}})  # noqa: TRY400  (says it all)
        return 1
    return 0
