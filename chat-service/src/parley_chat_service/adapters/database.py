"""The pool of connections to PostgreSQL, and what its failures mean here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import socket
import time
from collections.abc import AsyncIterator

from parley_rpc.faults import DatabaseUnavailable
from psycopg import AsyncConnection, InterfaceError, OperationalError, errors
from psycopg_pool import AsyncConnectionPool, PoolTimeout

SCHEMA = "chat"
ROLE = "parley_chat"
# What `serve` needs. Revisions are numbered, so that a newer one is known to be newer.
SCHEMA_REVISION = "0003"
ACQUIRE_WITHIN_SECONDS = 1.5
# What one waits for a connection when the one before waited in vain.
HURRIED_SECONDS = 0.1
# Longer than the server's own limit for a statement: only a frozen one takes so long.
ANSWER_WITHIN_SECONDS = 6.0
# Short, because a pool that has given up tries again with the next request, and one that
# has not waits longer after each failure: this bounds the time to notice a database's return.
RECONNECT_FOR_SECONDS = 2.0
MAX_WAITING = 1_000
OPTIONS = (
    f"-c role={ROLE} -c search_path={SCHEMA} -c statement_timeout=5000 -c lock_timeout=2000 "
    "-c idle_in_transaction_session_timeout=10000 -c jit=off"
)
# What says that the database is away, full, frozen, or not migrated yet.
AWAY = (
    OperationalError,
    InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.InsufficientPrivilege,
)

logger = logging.getLogger(__name__)


class Database:
    """Lends connections that act as the service's role, in its schema, in autocommit."""

    def __init__(
        self, conninfo: str, *, connections: int, answer_within: float = ANSWER_WITHIN_SECONDS
    ) -> None:
        # The pool tells of every connection it lends.
        logging.getLogger("psycopg.pool").setLevel(logging.WARNING)
        self.pool: AsyncConnectionPool[AsyncConnection] = AsyncConnectionPool(
            conninfo,
            kwargs={
                "autocommit": True,
                "prepare_threshold": 0,
                "connect_timeout": 2,
                "application_name": ROLE,
                "options": OPTIONS,
            },
            min_size=1,
            max_size=connections,
            max_waiting=MAX_WAITING,
            timeout=ACQUIRE_WITHIN_SECONDS,
            reconnect_timeout=RECONNECT_FOR_SECONDS,
            open=False,
        )
        self.answer_within = answer_within
        self._patience = ACQUIRE_WITHIN_SECONDS

    async def open(self) -> None:
        """Begin to connect; does not wait for the database."""
        await self.pool.open()

    async def aclose(self) -> None:
        """Close all connections."""
        await self.pool.close()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection; whatever says that the database is away is DatabaseUnavailable."""
        try:
            connection = await self._checkout()
            loop = asyncio.get_running_loop()
            frozen = loop.call_later(self.answer_within, hang_up, connection)
            try:
                yield connection
            finally:
                frozen.cancel()
                await self.pool.putconn(connection)
        except AWAY as error:
            if isinstance(error, PoolTimeout):
                self._patience = HURRIED_SECONDS
            fields = {"error": type(error).__name__, "sqlstate": error.sqlstate}
            logger.warning("database unavailable", extra={"fields": fields})
            raise DatabaseUnavailable from error

    async def answers(self) -> bool:
        """Say whether the database is there, with the schema that we need or a newer one."""
        try:
            async with self.connection() as connection:
                cursor = await connection.execute("select max(version_num) from alembic_version")
                row = await cursor.fetchone()
        except DatabaseUnavailable:
            return False
        return row is not None and row[0] is not None and bool(row[0] >= SCHEMA_REVISION)

    async def _checkout(self) -> AsyncConnection:
        give_up = time.monotonic() + self._patience
        while True:
            connection = await self.pool.getconn(give_up - time.monotonic())
            if not left(connection):
                self._patience = ACQUIRE_WITHIN_SECONDS
                return connection
            await connection.close()
            await self.pool.putconn(connection)


def left(connection: AsyncConnection) -> bool:
    """Say whether the server has left an idle connection.

    To an idle connection it has nothing to say but goodbye, so one that can be read is gone:
    a microsecond here saves the first requests after a restart of PostgreSQL from failing.
    """
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def hang_up(connection: AsyncConnection) -> None:
    """End a connection whose server does not answer: who waits for it is told at once."""
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)
