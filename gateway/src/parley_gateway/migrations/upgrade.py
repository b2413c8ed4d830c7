"""Brings the schema up to date: roles, schema, migrations, rights; one process at a time."""

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

from parley_gateway.adapters.database import ROLE, ROLES, SCHEMA, SCHEMA_REVISION
from parley_gateway.migrations.rights import RIGHTS
from parley_gateway.settings import Settings

LOCK_WITHIN_SECONDS = 300.0
# A migration that waits for a table's lock makes everybody else wait behind it. The services give
# up after 1.5 s, so it gives up before them and tries again.
LOCK_TIMEOUT_MS = 1000
ATTEMPTS = 60
# For the sake of others, who wait for what it has locked.
GIVEN_UP = (errors.LockNotAvailable, errors.DeadlockDetected)
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
    names = {"schema": sql.Identifier(SCHEMA), "owner": sql.Identifier(owner.info.user)}
    # Since PostgreSQL 16 a member may be without the right to take the role.
    right = "set" if owner.info.server_version >= 160_000 else "member"
    missing = []
    for role in ROLES:
        named = {"role": sql.Identifier(role), **names}
        known = found(owner, "select from pg_roles where rolname = %s", [role])
        if not known:
            missing.append(sql.SQL("create role {role} nologin").format(**named))
        if not known or not found(owner, "select where pg_has_role(%s, %s)", [role, right]):
            missing.append(sql.SQL("grant {role} to {owner}").format(**named))
    if not found(owner, "select from pg_namespace where nspname = %s", [SCHEMA]):
        missing.append(sql.SQL("create schema {schema} authorization {owner}").format(**names))
    return missing


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
            if not isinstance(error.orig, GIVEN_UP) or attempt == ATTEMPTS:
                raise
            time.sleep(POLL_SECONDS)
        else:
            break
    owner.autocommit = True


def grant(owner: psycopg.Connection) -> None:
    """Give each role its rights to the tables that are there, and no other ones."""
    query = "select tablename from pg_tables where schemaname = %s order by 1"
    tables = [name for (name,) in owner.execute(query, [SCHEMA])]
    with owner.transaction():
        for role, rights in RIGHTS.items():
            names = {"role": sql.Identifier(role), "schema": sql.Identifier(SCHEMA)}
            for statement in (
                "grant usage on schema {schema} to {role}",
                "revoke all on all tables in schema {schema} from {role}",
            ):
                owner.execute(sql.SQL(statement).format(**names))
            for table in filter(rights.__contains__, tables):
                words = sql.SQL("grant {} on {} to {}").format(
                    sql.SQL(rights[table]), sql.Identifier(SCHEMA, table), names["role"]
                )
                owner.execute(words)
