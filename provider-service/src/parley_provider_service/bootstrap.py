"""The composition root: the only place where concrete classes meet."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from importlib.metadata import entry_points
from uuid import uuid4

import uvloop
from parley_provider_sdk import ENTRY_POINT_GROUP
from parley_rpc.faults import DatabaseUnavailable, Fault
from parley_rpc.keys import IdentityError, Source, Watched, trusted_keys
from parley_rpc.server import Probe, Server, always_ready
from parley_rpc.tls import Tls
from parley_rpc.trust import Doorkeeper, Trust

from parley.provider.v1 import provider_pb2
from parley.provider.v1.provider_pb2_grpc import add_ProviderServiceServicer_to_server
from parley_provider_service.adapters.database import Database
from parley_provider_service.adapters.ledger import PostgresLedger
from parley_provider_service.adapters.plugins import load
from parley_provider_service.adapters.prices import GenAIPrices
from parley_provider_service.adapters.probe import survey
from parley_provider_service.adapters.secrets import Secrets
from parley_provider_service.adapters.store import PostgresCatalogStore
from parley_provider_service.adapters.vault import FernetVault
from parley_provider_service.api.server import ReplyServer
from parley_provider_service.api.servicer import ProviderServicer
from parley_provider_service.core.administration import Administration
from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.cover import Terms, UnknownPrices
from parley_provider_service.core.generation import Generation, Limits
from parley_provider_service.core.housekeeping import Housekeeping
from parley_provider_service.core.parameters import Unsupported
from parley_provider_service.core.roster import MOST_REPLIES, Roster
from parley_provider_service.settings import Settings, environment

NAME = provider_pb2.DESCRIPTOR.services_by_name["ProviderService"].full_name

# For what users ask about their own usage; everything else is done for all of them together.
OWN_CONNECTIONS = 2
# What calls that were stopped are given to be settled, and each thing to let go. With the grace
# before them, the service is gone within ten seconds.
SETTLE_SECONDS = 0.5
CLOSE_SECONDS = 0.25

logger = logging.getLogger(__name__)


def trust_of(settings: Settings) -> Trust:
    """Return whom the service lets in; IdentityError."""
    keys = Source("TRUSTED_KEYS", settings.trusted_keys, settings.trusted_keys_file)
    return Trust(
        "provider",
        Watched(keys, trusted_keys),
        leeway=settings.clock_leeway_seconds,
        tls=Tls.of(
            settings.grpc_tls_cert_file, settings.grpc_tls_key_file, settings.grpc_tls_ca_file
        ),
    )


def build_server(
    servicer: ProviderServicer,
    trust: Doorkeeper,
    *,
    probe: Probe = always_ready,
    reflect: bool = False,
) -> Server:
    """Put a server together around its core."""
    server = ReplyServer(servicer.generation, trust, probe=probe, reflect=reflect)
    add_ProviderServiceServicer_to_server(servicer, server.grpc)
    return server


async def load_roster(
    default_provider: str, secrets: Secrets, max_replies: int = MOST_REPLIES
) -> Roster:
    """Load the plugins; say in the log when the default that was set cannot be used."""
    plugins = entry_points(group=ENTRY_POINT_GROUP)
    trouble = await survey(plugins)
    installed = load(plugins, secrets, trouble=trouble)
    roster = Roster(installed, default_provider, max_replies)
    if default_provider:
        try:
            roster.ready(default_provider)
        except Fault as fault:
            fields = {"setting": "DEFAULT_PROVIDER", "reason": fault.sentence}
            logger.warning("default provider not ready", extra={"fields": fields})
    return roster


async def run(settings: Settings) -> None:
    """Serve until asked to stop; IdentityError."""
    trust = trust_of(settings)
    database = Database(
        settings.conninfo, connections=OWN_CONNECTIONS, jobs=settings.db_connections
    )
    ledger = PostgresLedger(database, uuid4())
    default_provider = settings.default_provider.strip().lower()
    max_replies = settings.max_replies_per_provider
    roster = await load_roster(
        default_provider, Secrets(environment(), settings.private_addresses), max_replies
    )
    store = PostgresCatalogStore(database)
    vault = FernetVault(settings.master_key.get_secret_value(), settings.master_key_file)
    catalog = Catalog(roster, store, GenAIPrices(), vault)
    generation = Generation(catalog, ledger, limits_of(settings))
    administration = Administration(catalog, store, vault, private=settings.private_addresses)
    servicer = ProviderServicer(catalog, generation, ledger, administration)

    async def probe() -> bool:
        return catalog.loaded and await database.answers()

    server = build_server(servicer, trust, probe=probe, reflect=settings.grpc_reflection)
    await database.open()
    try:
        await server.start(f"{settings.grpc_host}:{settings.provider_port}", [NAME])
        # Should housekeeping fail, so does the service: a process without a lease is a dead one.
        async with asyncio.TaskGroup() as tasks:
            housekeeping = tasks.create_task(Housekeeping(catalog, generation, ledger).run())
            await server.run(grace=settings.grace_seconds)
            await generation.aclose(SETTLE_SECONDS)
            housekeeping.cancel()
    finally:
        for close in (ledger.release, catalog.aclose, database.aclose):
            with contextlib.suppress(DatabaseUnavailable, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await close()


def limits_of(settings: Settings) -> Limits:
    """Return the limits that are set."""
    return Limits(
        first_token_seconds=settings.first_token_seconds,
        idle_seconds=settings.idle_seconds,
        unsupported=Unsupported(settings.unsupported_parameters),
        terms=Terms(settings.limited_output_tokens, UnknownPrices(settings.unknown_prices)),
    )


def serve(settings: Settings) -> int:
    """Run the service in its own loop; return 0 after a graceful stop."""
    try:
        uvloop.run(run(settings))
    except IdentityError as error:
        logger.error("settings are missing", extra={"fields": {"missing": str(error)}})  # noqa: TRY400  (says it all)
        return 1
    return 0
