"""The pool of connections to PostgreSQL, and what its failures mean here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import socket
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from parley_rpc.faults import DatabaseUnavailable
from psycopg import AsyncConnection, AsyncCursor, errors
from psycopg.pq import TransactionStatus
from psycopg.sql import Composed
from psycopg_pool import AsyncConnectionPool
from typing_extensions import override

SCHEMA = "provider"
# Sees, by row-level security, the rows of whom it acts for; nobody's, when it does for nobody.
ROLE = "parley_provider"
# For statements that span users: sees everybody's rows, in the few tables that these need.
JOBS = "parley_provider_jobs"
ROLES = (ROLE, JOBS)
# What `serve` needs. Revisions are numbered, so that a newer one is known to be newer.
SCHEMA_REVISION = "0006"

# What one waits for a connection; and what when the one before waited in vain.
ACQUIRE_WITHIN_SECONDS = 0.75
HURRIED_SECONDS = 0.1
# What one waits for a connection and its answers together. The server's own limits are shorter:
# one that breaks its word is frozen, or cut off.
ANSWER_WITHIN_SECONDS = 2.25
# The same for a question about its health.
PROBE_WITHIN_SECONDS = 0.8
# What a server is given to hear that somebody has left; a frozen one hears nothing.
CANCEL_WITHIN_SECONDS = 0.5
# Short, because a pool that has given up tries again with the next request, and one that
# has not waits longer after each failure: this bounds the time to notice a database's return.
RECONNECT_FOR_SECONDS = 2.0
MAX_WAITING = 1_000
# For statements that span users, unless it is said how many.
JOBS_CONNECTIONS = 4
# A lock is waited for longer than the second after which PostgreSQL looks for a deadlock.
OPTIONS = (
    f"-c search_path={SCHEMA} -c statement_timeout=2000 -c lock_timeout=1500 "
    "-c idle_in_transaction_session_timeout=10000 -c jit=off"
)
# Sent along with a statement, in its transaction: it is gone with that.
ACT_FOR = "select set_config('app.user', %s, true)"
# Before a statement is run again that PostgreSQL gave up for the sake of others.
AGAIN_AFTER_SECONDS = (0.0, 0.02, 0.1)
# How often the same is said of a database that is away.
TELL_EVERY_SECONDS = 5.0
# What says that the database is away, full, frozen, read-only, or not migrated yet.
AWAY = (
    errors.OperationalError,
    errors.InterfaceError,
    errors.InternalError,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.InsufficientPrivilege,
)

logger = logging.getLogger(__name__)
# Those who speak of connections: we, the pool, and the driver.
SPEAKERS = (__name__, "psycopg.pool", "psycopg")


class Seldom(logging.Filter):
    """Lets the same be said once in a while, however often it happens."""

    def __init__(self) -> None:
        super().__init__()
        self._again_at: dict[tuple[str, str], float] = {}

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        said, now = (str(record.msg), str(getattr(record, "fields", ""))), time.monotonic()
        if now < self._again_at.get(said, 0.0):
            return False
        self._again_at[said] = now + TELL_EVERY_SECONDS
        return True


class Connection(AsyncConnection):
    """A connection that runs again what PostgreSQL gave up, and is left without much waiting."""

    # Whom its statements act for.
    owner_id: UUID | None = None

    @override
    async def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool = False
    ) -> AsyncCursor:
        """Run a statement; outside of a transaction again after a deadlock or a lost race.

        There a statement is a transaction itself: one that was given up has done nothing.
        """
        for pause in AGAIN_AFTER_SECONDS:
            try:
                return await self._execute(query, params, prepare, binary)
            except (errors.DeadlockDetected, errors.SerializationFailure):
                if self.info.transaction_status is not TransactionStatus.IDLE:
                    raise
                await asyncio.sleep(pause)
        return await self._execute(query, params, prepare, binary)

    async def _execute(
        self, query: Any, params: Any, prepare: bool | None, binary: bool
    ) -> AsyncCursor:
        """Run a statement, in one round trip with the word whom it acts for."""
        if self.owner_id is None:
            return await super().execute(query, params, prepare=prepare, binary=binary)
        async with self.pipeline():
            await super().execute(ACT_FOR, [str(self.owner_id)])
            return await super().execute(query, params, prepare=prepare, binary=binary)

    @override
    async def cancel_safe(self, *, timeout: float = CANCEL_WITHIN_SECONDS) -> None:
        """Ask the server to end what runs, as whoever leaves does; not for long."""
        await super().cancel_safe(timeout=min(timeout, CANCEL_WITHIN_SECONDS))


class Database:
    """Lends connections that act as a role of the service's, in its schema, in autocommit.

    `jobs` does so for statements that span users; it has connections of its own.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        connections: int,
        jobs: int = JOBS_CONNECTIONS,
        role: str = ROLE,
        answer_within: float = ANSWER_WITHIN_SECONDS,
    ) -> None:
        self.jobs: Database = self
        if role != JOBS:
            self.jobs = type(self)(conninfo, connections=jobs, role=JOBS)
        self.answer_within = answer_within
        self._patience = ACQUIRE_WITHIN_SECONDS
        self._seldom = Seldom()
        # The pool tells of every connection it lends.
        logging.getLogger("psycopg.pool").setLevel(logging.WARNING)
        self.pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            conninfo,
            name=role,
            connection_class=Connection,
            kwargs={
                "autocommit": True,
                "prepare_threshold": 0,
                "connect_timeout": 2,
                "application_name": role,
                "options": f"-c role={role} {OPTIONS}",
            },
            min_size=1,
            max_size=connections,
            max_waiting=MAX_WAITING,
            timeout=ACQUIRE_WITHIN_SECONDS,
            reconnect_timeout=RECONNECT_FOR_SECONDS,
            open=False,
        )

    async def open(self) -> None:
        """Begin to connect; does not wait for the database."""
        for speaker in SPEAKERS:
            logging.getLogger(speaker).addFilter(self._seldom)
        await self.pool.open()
        if self.jobs is not self:
            await self.jobs.open()

    async def aclose(self) -> None:
        """Close all connections."""
        if self.jobs is not self:
            await self.jobs.aclose()
        await self.pool.close()
        for speaker in SPEAKERS:
            logging.getLogger(speaker).removeFilter(self._seldom)

    @contextlib.asynccontextmanager
    async def connection(self, within: float | None = None) -> AsyncIterator[Connection]:
        """Lend a connection; whatever says that the database is away is DatabaseUnavailable.

        So is silence: after `within` seconds the connection ends, and with it what it waits for.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + (within or self.answer_within)
        try:
            connection = await self._checkout(give_up)
            frozen = loop.call_at(give_up, hang_up, connection)
            try:
                yield connection
            finally:
                frozen.cancel()
                await self.pool.putconn(connection)
        except AWAY as error:
            if error.sqlstate is None:  # Not the server's word: it could not be asked.
                self._patience = HURRIED_SECONDS
            fields = {"error": type(error).__name__, "sqlstate": error.sqlstate}
            logger.warning("database unavailable", extra={"fields": fields})
            raise DatabaseUnavailable from error

    async def fetch(
        self,
        statement: str | Composed,
        values: Mapping[str, Any] | None = None,
        owner_id: UUID | None = None,
    ) -> list[tuple[Any, ...]]:
        """Run one statement, for a user or for nobody, and return its rows."""
        lent = self.connection() if owner_id is None else self.acting_for(owner_id)
        async with lent as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall()

    @contextlib.asynccontextmanager
    async def acting_for(self, owner_id: UUID) -> AsyncIterator[Connection]:
        """Lend a connection on which every statement acts for a user, and sees their rows alone."""
        async with self.connection() as connection:
            connection.owner_id = owner_id
            try:
                yield connection
            finally:
                connection.owner_id = None

    async def answers(self) -> bool:
        """Say whether the database is there, with the schema that we need or a newer one."""
        try:
            async with self.connection(PROBE_WITHIN_SECONDS) as connection:
                cursor = await connection.execute("select max(version_num) from alembic_version")
                row = await cursor.fetchone()
        except (DatabaseUnavailable, errors.Error):
            return False
        return row is not None and row[0] is not None and bool(row[0] >= SCHEMA_REVISION)

    async def _checkout(self, give_up: float) -> Connection:
        loop = asyncio.get_running_loop()
        give_up = min(give_up, loop.time() + self._patience)
        while True:
            try:
                connection = await self.pool.getconn(give_up - loop.time())
            finally:
                self._forget_who_left()
            if not left(connection):
                self._patience = ACQUIRE_WITHIN_SECONDS
                return connection
            await connection.close()
            await self.pool.putconn(connection)

    def _forget_who_left(self) -> None:
        """Take those out of the pool's queue who have waited in vain.

        The pool does so with the next connection only. While there is none it would hold them
        all, until it took the queue for full and did not even try to connect any more.
        """
        queue = self.pool._waiting  # noqa: SLF001  (no other way; a test watches the queue)
        while queue and queue[0].error:
            queue.popleft()


def left(connection: Connection) -> bool:
    """Say whether the server has left an idle connection.

    To an idle connection it has nothing to say but goodbye, so one that can be read is gone:
    a microsecond here saves the first requests after a restart of PostgreSQL from failing.
    """
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def hang_up(connection: Connection) -> None:
    """End a connection whose server does not answer: who waits for it is told at once."""
    if connection.closed:
        return
    with (
        socket.socket(fileno=os.dup(connection.fileno())) as wire,
        contextlib.suppress(OSError),  # The server has hung up itself.
    ):
        wire.shutdown(socket.SHUT_RDWR)
