"""Brings the schema up to date: role, schema, migrations, grants; one process at a time."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import errors, sql
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from parley_gateway.adapters.database import ROLE, SCHEMA, SCHEMA_REVISION
from parley_gateway.settings import Settings

LOCK_WITHIN_SECONDS = 300.0
# A migration that waits for a table's lock makes everybody else wait behind it. The services give
# up after 1.5 s, so it gives up before them and tries again.
LOCK_TIMEOUT_MS = 1000
ATTEMPTS = 60
POLL_SECONDS = 0.1


def migrate(settings: Settings) -> int:
    """Return 0, or 1 when something must be done by somebody with more rights."""
    with psycopg.connect(settings.conninfo, autocommit=True) as owner, locked(owner):
        missing = prerequisites(owner)
        try:
            for statement in missing:
                provide(owner, statement)
        except errors.InsufficientPrivilege:
            tell_the_administrator(owner, missing)
            return 1
        if not is_ahead(owner):
            upgrade(owner)
            grant(owner)
    return 0


@contextlib.contextmanager
def locked(owner: psycopg.Connection) -> Iterator[None]:
    """Hold the service's migration lock.

    Polled outside a transaction: one that waited in the server would keep a snapshot that
    `create index concurrently` waits for.
    """
    give_up = time.monotonic() + LOCK_WITHIN_SECONDS
    query = "select pg_try_advisory_lock(hashtext(%s))"
    while owner.execute(query, [ROLE]).fetchone() != (True,):
        if time.monotonic() > give_up:
            raise TimeoutError("another migration holds the lock")
        time.sleep(POLL_SECONDS)
    yield


def prerequisites(owner: psycopg.Connection) -> list[sql.Composed]:
    """List what has to be done before the migrations and is not done yet."""
    names = {
        "role": sql.Identifier(ROLE),
        "schema": sql.Identifier(SCHEMA),
        "owner": sql.Identifier(owner.info.user),
    }
    # Since PostgreSQL 16 a member may be without the right to take the role.
    right = "set" if owner.info.server_version >= 160_000 else "member"
    missing = []
    if not found(owner, "select from pg_roles where rolname = %s", [ROLE]):
        missing += ["create role {role} nologin", "grant {role} to {owner}"]
    elif not found(owner, "select where pg_has_role(%s, %s)", [ROLE, right]):
        missing.append("grant {role} to {owner}")
    if not found(owner, "select from pg_namespace where nspname = %s", [SCHEMA]):
        missing.append("create schema {schema} authorization {owner}")
    return [sql.SQL(statement).format(**names) for statement in missing]


def found(owner: psycopg.Connection, query: LiteralString, names: list[str]) -> bool:
    """Say whether a query finds a row."""
    return owner.execute(query, names).fetchone() is not None


def provide(owner: psycopg.Connection, statement: sql.Composed) -> None:
    """Do one of the prerequisites.

    Roles belong to the whole cluster: another database's migration, which our lock does not
    hold back, may have made the same one a moment ago.
    """
    with contextlib.suppress(errors.DuplicateObject, errors.UniqueViolation):
        owner.execute(statement)


def is_ahead(owner: psycopg.Connection) -> bool:
    """Say whether a newer release has migrated: its schema serves us, its rights are its own."""
    table = sql.Identifier(SCHEMA, "alembic_version")
    if not found(owner, "select where to_regclass(%s) is not null", [table.as_string(owner)]):
        return False
    query = sql.SQL("select from {} where version_num > %s").format(table)
    return owner.execute(query, [SCHEMA_REVISION]).fetchone() is not None


def tell_the_administrator(owner: psycopg.Connection, statements: list[sql.Composed]) -> None:
    """Write the SQL that needs more rights than the owner has."""
    sys.stdout.write("-- Have these run by somebody who may, then migrate again:\n")
    for statement in statements:
        sys.stdout.write(f"{statement.as_string(owner)};\n")


def upgrade(owner: psycopg.Connection, target: str = "head") -> None:
    """Run the migrations that are missing; wait for locks in small bites.

    On the connection that holds the migration lock: PostgreSQL keeps the lock as long as it
    works for us, even when we were killed in the middle of a statement.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    # In the transaction of each migration: nobody ever sees a table without its rights.
    config.attributes["applied"] = lambda **_: grant(owner)
    owner.execute(sql.SQL("set search_path = {}").format(sql.Identifier(SCHEMA)))
    owner.execute(sql.SQL("set lock_timeout = {}").format(LOCK_TIMEOUT_MS))
    owner.autocommit = False
    engine = create_engine("postgresql+psycopg://", creator=lambda: owner, poolclass=StaticPool)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with engine.connect() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, target)
        except OperationalError as error:
            if not isinstance(error.orig, errors.LockNotAvailable) or attempt == ATTEMPTS:
                raise
            time.sleep(POLL_SECONDS)
        else:
            break
    owner.autocommit = True


def grant(owner: psycopg.Connection) -> None:
    """Let the service's role use the tables, only add to some, and read the alembic version."""
    names = {"role": sql.Identifier(ROLE), "schema": sql.Identifier(SCHEMA)}
    statements: list[LiteralString] = [
        "grant usage on schema {schema} to {role}",
        "grant select, insert, update, delete on all tables in schema {schema} to {role}",
        "revoke insert, update, delete on {schema}.alembic_version from {role}",
    ]
    if found(owner, "select where to_regclass(%s) is not null", [f"{SCHEMA}.audit_log"]):
        # What has happened stays as it is, whatever becomes of the service.
        statements.append("revoke update, delete, truncate on {schema}.audit_log from {role}")
    with owner.transaction():  # so that nobody may do meanwhile what is taken back
        for statement in statements:
            owner.execute(sql.SQL(statement).format(**names))
