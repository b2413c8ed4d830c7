"""The pools of connections of the four services, for tests that hold for each of them."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql

PACKAGES = [f"parley_{name}" for name in ("gateway", "chat_service", "prompt_service")]
PACKAGES.append("parley_provider_service")
STARTED_WITHIN_SECONDS = 30.0


def module_of(package: str) -> Any:
    """Return the module that holds the pool."""
    return importlib.import_module(f"{package}.adapters.database")


@asynccontextmanager
async def opened(package: str, url: str, connections: int = 2) -> AsyncIterator[Any]:
    """Open a pool of a service, whose roles are there and may use its schema."""
    module = module_of(package)
    make_roles(module, url)
    database = module.Database(url, connections=connections)
    await database.open()
    try:
        await database.pool.wait(STARTED_WITHIN_SECONDS)
        yield database
    finally:
        await database.aclose()


def make_roles(module: Any, url: str) -> None:
    """Make the schema, and the roles that are missing, as a migration would."""
    known = "select 1 from pg_roles where rolname = %s"
    schema = sql.Identifier(module.SCHEMA)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("select pg_advisory_lock(1)")  # Roles are the whole server's.
        owner.execute(sql.SQL("create schema {}").format(schema))
        for name in module.ROLES:
            role = sql.Identifier(name)
            if not owner.execute(known, [name]).fetchone():
                owner.execute(sql.SQL("create role {}").format(role))
                owner.execute(sql.SQL("grant {} to current_user").format(role))
            owner.execute(sql.SQL("grant usage on schema {} to {}").format(schema, role))


def owner_of(url: str, package: str) -> psycopg.Connection:
    """Connect as the owner of everything, in the schema of a service."""
    return psycopg.connect(url, options=f"-c search_path={module_of(package).SCHEMA}")


async def everywhere(check: Callable[[str, str], Awaitable[None]], url: str = "") -> None:
    """Check all four at once, for most of it is waiting."""
    async with asyncio.TaskGroup() as tasks:
        for package in PACKAGES:
            tasks.create_task(named(check, package, url))


async def named(check: Callable[[str, str], Awaitable[None]], package: str, url: str) -> None:
    """Check one; a failure says which one it was."""
    try:
        await check(package, url)
    except BaseException as error:
        error.add_note(f"with {package}")
        raise
