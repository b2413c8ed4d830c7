"""The audit log: who did what to what, when, from where, under which request id."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from parley_rpc.faults import DatabaseUnavailable

from parley_gateway.core.entries import LOGIN, Entry, EntryFilter, Whence, WrittenEntry, made_by
from parley_gateway.core.model import Identity, Place
from parley_gateway.core.ports import AuditStore
from parley_gateway.core.scopes import require_admin

WRITE_EVERY_SECONDS = 1.0
# Kinds of refusals in one batch; of more than that only the number is kept.
MOST_KINDS = 100
# What waits for a database that is away; the oldest goes first.
MOST_WAITING = 5_000
MOST_AT_ONCE = 500
SUPPRESSED = "suppressed"
LOGIN_EVERY_SECONDS = 3600.0


@dataclass(slots=True)
class Refusals:
    """Refusals of one kind, as the first of them."""

    first: Entry
    count: int = 1

    def entry(self) -> Entry:
        """Make one entry of all of them."""
        if self.count == 1:
            return self.first
        return replace(self.first, details={**self.first.details, "count": self.count})


class Audit:
    """Writes and shows the log.

    Changes of users and keys are written with what they change. Refusals cost whoever is
    refused no statement: they are counted by their kind, and written a second later.
    """

    def __init__(self, store: AuditStore, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self.clock = clock
        self._refused: dict[tuple[object, ...], Refusals] = {}
        self._suppressed = 0
        self._waiting: list[Entry] = []
        self._first_key_told_at = float("-inf")

    async def write(self, entry: Entry) -> None:
        """Write an entry now; DatabaseUnavailable."""
        await self.store.write([entry])

    def keep(self, entry: Entry) -> None:
        """Write an entry soon, however long the database is away."""
        self._waiting.append(stamped(entry))
        del self._waiting[:-MOST_WAITING]

    def first_key(self, by: Identity, whence: Whence) -> None:
        """Note that the administrator's first key was shown, at most once an hour.

        It has no row in which the store could see that.
        """
        if self.clock() >= self._first_key_told_at + LOGIN_EVERY_SECONDS:
            self._first_key_told_at = self.clock()
            self.keep(made_by(by, LOGIN, by.key_id, whence))

    def refuse(self, entry: Entry) -> None:
        """Count a refusal among those of its kind."""
        kind = (entry.action, entry.outcome, entry.actor, entry.key_id, entry.target)
        known = self._refused.get((*kind, entry.whence.ip))
        if known is not None:
            known.count += 1
        elif len(self._refused) < MOST_KINDS:
            self._refused[*kind, entry.whence.ip] = Refusals(stamped(entry))
        else:
            self._suppressed += 1

    async def page(
        self, by: Identity, asked: EntryFilter, after: Place | None, size: int
    ) -> Sequence[WrittenEntry]:
        """List entries, newest first; PermissionDenied, ScopeMissing."""
        require_admin(by)
        return await self.store.page(asked, after, size)

    async def run(self) -> None:
        """Write what waits, for ever."""
        while True:
            await asyncio.sleep(WRITE_EVERY_SECONDS)
            with contextlib.suppress(DatabaseUnavailable):
                await self.flush()

    async def flush(self) -> None:
        """Write what waits; it goes on waiting when that fails with DatabaseUnavailable."""
        refused, self._refused = self._refused, {}
        for refusals in refused.values():
            self.keep(refusals.entry())
        if self._suppressed:
            self.keep(Entry(SUPPRESSED, details={"count": self._suppressed}))
            self._suppressed = 0
        batch = self._waiting[:MOST_AT_ONCE]
        if batch:
            await self.store.write(batch)
            written = set(map(id, batch))
            self._waiting = [entry for entry in self._waiting if id(entry) not in written]


def stamped(entry: Entry) -> Entry:
    """Note when it happened in an entry that is written later."""
    return entry if entry.at else replace(entry, at=datetime.now(UTC))
