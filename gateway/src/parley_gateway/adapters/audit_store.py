"""The audit log in PostgreSQL. The service's role may add to it and read it, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb
from typing_extensions import override
from uuid_utils.compat import uuid7

from parley_gateway.adapters.database import Database
from parley_gateway.core.entries import Entry, EntryFilter, Whence, WrittenEntry
from parley_gateway.core.model import Place
from parley_gateway.core.ports import AuditStore

INTO = "audit_log (entry_id, at, action, outcome, actor, key_id, target, ip, request_id, details)"
# A part of a statement that changes something, which it calls `changed`: both or neither.
NOTED = f"""
noted as (
    insert into {INTO}
    select %(entry_id)s::uuid, coalesce(%(entry_at)s::timestamptz, now()), %(entry_action)s::text,
           %(entry_outcome)s::text, %(entry_actor)s::uuid, %(entry_key_id)s::text,
           %(entry_target)s::text, %(entry_ip)s::text, %(entry_request_id)s::text,
           %(entry_details)s::jsonb
      from changed limit 1)"""  # noqa: S608  (parts are constants)

WRITE = f"""
insert into {INTO}
select * from unnest(%(ids)s::uuid[], %(ats)s::timestamptz[], %(actions)s::text[],
    %(outcomes)s::text[], %(actors)s::uuid[], %(key_ids)s::text[], %(targets)s::text[],
    %(ips)s::text[], %(request_ids)s::text[], %(details)s::jsonb[])
returning entry_id"""  # noqa: S608  (parts are constants)

PAGE = """
select entry_id, at, action, outcome, actor, key_id, target, ip, request_id, details
  from audit_log
 where (%(at)s::timestamptz is null or (at, entry_id) < (%(at)s, %(id)s::uuid))
   and (%(actor)s::uuid is null or actor = %(actor)s)
   and (%(action)s::text is null or action = %(action)s)
   and (%(since)s::timestamptz is null or at >= %(since)s)
   and (%(until)s::timestamptz is null or at < %(until)s)
 order by at desc, entry_id desc limit %(size)s"""


class PostgresAuditStore(AuditStore):
    """Keeps entries in `gateway.audit_log`."""

    def __init__(self, database: Database) -> None:
        self.database = database.jobs

    @override
    async def write(self, entries: Sequence[Entry]) -> None:
        moment = datetime.now(UTC)
        values = {
            "ids": [uuid7() for _ in entries],
            "ats": [entry.at or moment for entry in entries],
            "actions": [entry.action for entry in entries],
            "outcomes": [entry.outcome for entry in entries],
            "actors": [entry.actor for entry in entries],
            "key_ids": [entry.key_id for entry in entries],
            "targets": [entry.target for entry in entries],
            "ips": [entry.whence.ip for entry in entries],
            "request_ids": [entry.whence.request_id for entry in entries],
            "details": [Jsonb(dict(entry.details)) for entry in entries],
        }
        await self.database.fetch(WRITE, values)

    @override
    async def page(
        self, asked: EntryFilter, after: Place | None, size: int
    ) -> Sequence[WrittenEntry]:
        at, entry_id = after or (None, None)
        values = {
            "at": at,
            "id": entry_id,
            "actor": asked.actor,
            "action": asked.action,
            "since": asked.since,
            "until": asked.until,
            "size": size,
        }
        return [entry_of(row) for row in await self.database.fetch(PAGE, values)]


def values_of(entry: Entry) -> dict[str, Any]:
    """Return what `NOTED` writes."""
    return {
        "entry_id": uuid7(),
        "entry_at": entry.at,
        "entry_action": entry.action,
        "entry_outcome": entry.outcome,
        "entry_actor": entry.actor,
        "entry_key_id": entry.key_id,
        "entry_target": entry.target,
        "entry_ip": entry.whence.ip,
        "entry_request_id": entry.whence.request_id,
        "entry_details": Jsonb(dict(entry.details)),
    }


def entry_of(row: tuple[Any, ...]) -> WrittenEntry:
    """Read one row."""
    entry_id, at, action, outcome, actor, key_id, target, ip, request_id, details = row
    whence = Whence(ip, request_id)
    entry = Entry(action, outcome, actor, key_id, target, whence, details, at)
    return WrittenEntry(entry_id, at, entry)
