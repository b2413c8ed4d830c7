"""Leases of workers in PostgreSQL, and the replies that dead ones leave behind."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from parley_chat_service.adapters.database import Database
from parley_chat_service.adapters.store.rows import FOLD, fold
from parley_chat_service.core.faults import TurnInterrupted
from parley_chat_service.core.model import Status

# A lease that is lost with a crash of PostgreSQL is renewed in two seconds: nobody waits for
# the disk, and the setting lasts for this statement only.
RENEW = """
    with lease as (
        insert into workers (worker_id, lease_until)
        select %(worker)s, now() + %(seconds)s::float8 * interval '1 second'
        where set_config('synchronous_commit', 'off', true) is not null
        on conflict (worker_id) do update set lease_until = excluded.lease_until)
    select r.message_id from unnest(%(running)s::uuid[]) r (message_id)
    where not exists (select from messages m where m.message_id = r.message_id
        and m.status = 'running' and m.worker_id = %(worker)s)
"""
RELEASE = "delete from workers where worker_id = %s"
LEFT_BEHIND = """
    select m.message_id from messages m left join workers w on w.worker_id = m.worker_id
    where m.status = 'running' and (w.lease_until is null or w.lease_until < now()
        or m.deadline < now() - interval '15 seconds'
        or (m.worker_id = %(worker)s and m.message_id <> all(%(held)s::uuid[])
            and m.created_at < now() - %(older)s::float8 * interval '1 second'))
    limit 100
"""
LOCK_LEFT_BEHIND = f"{LEFT_BEHIND} for update of m skip locked"
TIDY = """
    with keys as (
        delete from send_keys where ctid = any(array(
            select ctid from send_keys where expire_time < now() limit 1000)))
    delete from workers w where w.lease_until < now() - interval '1 minute'
        and not exists (select from messages m
            where m.worker_id = w.worker_id and m.status = 'running')
"""


class PostgresWorkerStore:
    """Keeps leases, and sweeps up after those whose lease has run out."""

    def __init__(self, database: Database) -> None:
        self.database = database.jobs

    async def renew(
        self, worker_id: UUID, seconds: float, running: Sequence[UUID]
    ) -> Sequence[UUID]:
        """Extend a lease; return those of `running` that do not belong to the worker any more."""
        parameters = {"worker": worker_id, "seconds": seconds, "running": list(running)}
        async with self.database.connection() as connection:
            cursor = await connection.execute(RENEW, parameters)
            return [row[0] for row in await cursor.fetchall()]

    async def release(self, worker_id: UUID) -> None:
        """End a lease."""
        async with self.database.connection() as connection:
            await connection.execute(RELEASE, [worker_id])

    async def sweep(self, worker_id: UUID, held: Sequence[UUID], older_than: float) -> int:
        """Interrupt, with the text so far, every running reply that nobody works on; count them.

        First the rows are locked, then a second statement, with a fresh snapshot, joins their
        text: a piece that was stored in between would not be seen by the first.
        """
        parameters = {"worker": worker_id, "held": list(held), "older": older_than}
        async with self.database.connection() as connection:
            await connection.execute(TIDY)
            cursor = await connection.execute(LEFT_BEHIND, parameters)
            if not cursor.rowcount:
                return 0
            async with connection.transaction():
                cursor = await connection.execute(LOCK_LEFT_BEHIND, parameters)
                ids = [row[0] for row in await cursor.fetchall()]
                await connection.execute(
                    FOLD, fold(ids, Status.INTERRUPTED, TurnInterrupted.reason)
                )
        return len(ids)
