"""The three stores, in memory or in a real PostgreSQL, for suites that run against both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from parley_gateway.adapters.audit_store import PostgresAuditStore
from parley_gateway.adapters.database import JOBS, Database
from parley_gateway.adapters.key_store import PostgresKeyStore
from parley_gateway.adapters.limit_store import PostgresLimitStore
from parley_gateway.adapters.user_store import PostgresUserStore
from parley_gateway.core.ports import AuditStore, KeyStore, LimitStore, UserStore
from parley_gateway.migrations.upgrade import migrate
from parley_gateway.settings import Settings
from pydantic import SecretStr

from .fakes import MemoryLimitStore, Outage
from .memory import MemoryAuditStore, MemoryKeyStore, MemoryUserStore


@dataclass
class Stores:
    """One of each, of one process."""

    users: UserStore
    keys: KeyStore
    limits: LimitStore
    audit: AuditStore


def memory_stores() -> Stores:
    """Return stores that remember until the test ends."""
    outage = Outage()
    audit = MemoryAuditStore(outage)
    users = MemoryUserStore(outage, audit)
    return Stores(users, MemoryKeyStore(outage, users), MemoryLimitStore(outage), audit)


async def migrated(database_url: str) -> Settings:
    """Return the settings of a gateway whose database is up to date."""
    settings = Settings(DATABASE_URL=SecretStr(database_url))
    assert 0 == await asyncio.to_thread(migrate, settings)
    return settings


@contextlib.asynccontextmanager
async def postgres_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Return stores with connections of their own, as a process has."""
    database = Database(settings.conninfo, connections=4)
    counters = Database(settings.conninfo, connections=1, role=JOBS, durable=False)
    await database.open()
    await counters.open()
    try:
        yield Stores(
            PostgresUserStore(database),
            PostgresKeyStore(database),
            PostgresLimitStore(counters),
            PostgresAuditStore(database),
        )
    finally:
        await database.aclose()
        await counters.aclose()
