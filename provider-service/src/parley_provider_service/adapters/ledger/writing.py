"""The ledger in PostgreSQL: a call costs two rows' writing, shared with the calls beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from parley_provider_sdk import Usage
from parley_rpc.faults import DatabaseUnavailable
from psycopg.types.json import Jsonb
from typing_extensions import override

from parley_provider_service.adapters.batches import Batches
from parley_provider_service.adapters.database import Database
from parley_provider_service.adapters.ledger.holding import Holds
from parley_provider_service.adapters.ledger.reading import LedgerReader, facts_of
from parley_provider_service.adapters.ledger.statements import (
    FORGET,
    HOLD,
    RECORD,
    RELEASE,
    SETTLE,
    SETTLED_BY,
    SWEEP,
    TAKE_OVER,
)
from parley_provider_service.core.allowances import Allowance, Balance, Share
from parley_provider_service.core.model import (
    Attempted,
    Hold,
    Price,
    Progress,
    Settlement,
    UsageRecord,
)
from parley_provider_service.core.ports import Ledger
from parley_provider_service.core.pricing import CHARACTERS_PER_TOKEN, MILLION
from parley_provider_service.core.sums import UsageFilter, UsageGroup, UsageSum

LEASE_SECONDS = 10.0
AGAIN_SECONDS = 0.5


class PostgresLedger(Ledger):
    """Keeps the table `provider_usage` for one process, whose lease is named by `worker_id`."""

    def __init__(
        self, database: Database, worker_id: UUID, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self.database = database.jobs
        self.worker_id = worker_id
        self.lease_seconds = lease_seconds
        self.reader = LedgerReader(database)
        self.holds = Holds(database, worker_id)
        self._holds = Batches(self._hold)
        self._settlements = Batches(self._settle)
        # What this process is to settle, from before it is held.
        self._mine: set[UUID] = set()
        # Two statements over several rows each must not wait for each other's.
        self._one_at_a_time = asyncio.Lock()

    @override
    async def hold(self, hold: Hold) -> bool:
        if hold.usage_id in self._mine:
            return False
        self._mine.add(hold.usage_id)
        held = False
        try:
            held = await self._begin(hold) or await self._take_over(hold)
        finally:
            if not held:
                self._mine.discard(hold.usage_id)
        return held

    @override
    async def extend(self, usage_id: UUID, shares: Sequence[Share]) -> None:
        await self.holds.extend(usage_id, shares)

    @override
    async def balances(self, allowances: Sequence[Allowance]) -> Sequence[Balance]:
        return await self.holds.balances(allowances)

    @override
    async def settle(self, settlement: Settlement) -> bool:
        settled = await self._settlements.ask(settlement)
        self._mine.discard(settlement.usage_id)
        return settled

    @override
    async def record(self, progress: Mapping[UUID, Progress]) -> frozenset[UUID]:
        made = list(progress.values())
        values = {
            "usage_id": list(progress),
            "output_chars": [one.output_chars for one in made],
            "provider": [one.provider for one in made],
            "model": [one.model for one in made],
            **prices_of([one.price for one in made]),
            "worker": self.worker_id,
            "lease": self.lease_seconds,
        }
        async with self._one_at_a_time:
            rows = await self.database.fetch(RECORD, values)
        return frozenset(usage_id for (usage_id,) in rows)

    @override
    async def sweep(self) -> int:
        values = {
            "lease": self.lease_seconds,
            "chars": float(CHARACTERS_PER_TOKEN),
            "million": MILLION,
            "worker": self.worker_id,
            "mine": list(self._mine),
        }
        rows = await self.database.fetch(SWEEP, values)
        await self.database.fetch(FORGET, {})
        await self.database.fetch("select ensure_usage_partitions()", {})
        return len(rows)

    @override
    async def release(self) -> None:
        await self.database.fetch(RELEASE, {"worker": self.worker_id})

    @override
    async def find(self, owner_id: UUID | None, usage_ids: Sequence[UUID]) -> Sequence[UsageRecord]:
        return await self.reader.find(owner_id, usage_ids)

    @override
    async def page(
        self, which: UsageFilter, before: UUID | None, size: int
    ) -> Sequence[UsageRecord]:
        return await self.reader.page(which, before, size)

    @override
    async def sums(self, which: UsageFilter, group_by: Sequence[UsageGroup]) -> Sequence[UsageSum]:
        return await self.reader.sums(which, group_by)

    async def _hold(self, holds: Sequence[Hold]) -> Sequence[bool]:
        values = {
            "worker": self.worker_id,
            "usage_id": [hold.usage_id for hold in holds],
            "owner_id": [hold.owner_id for hold in holds],
            "key_id": [hold.key_id for hold in holds],
            "provider": [hold.provider for hold in holds],
            "model": [hold.model for hold in holds],
            "input_chars": [hold.input_chars for hold in holds],
            **prices_of([hold.price for hold in holds]),
        }
        rows = await self.database.fetch(HOLD, values)
        return answered([hold.usage_id for hold in holds], rows)

    async def _begin(self, hold: Hold) -> bool:
        """Write a new row; together with others where nobody's allowances are asked for."""
        if not hold.shares:
            return await self._holds.ask(hold)
        return await self.holds.hold(self._row(hold), hold.shares)

    async def _take_over(self, hold: Hold) -> bool:
        """Take a call over whose process has made nothing of it, or never knew that it has it."""
        return bool(await self.database.fetch(TAKE_OVER, self._row(hold)))

    def _row(self, hold: Hold) -> Mapping[str, Any]:
        prices = {name: price for name, [price] in prices_of([hold.price]).items()}
        return {
            "worker": self.worker_id,
            "usage_id": hold.usage_id,
            "owner_id": hold.owner_id,
            "key_id": hold.key_id,
            "provider": hold.provider,
            "model": hold.model,
            "input_chars": hold.input_chars,
            **prices,
        }

    async def _settle(self, settlements: Sequence[Settlement]) -> Sequence[bool]:
        ids = [settlement.usage_id for settlement in settlements]
        # Of what is settled twice only the first counts, in the roll-ups as well.
        first = list({one.usage_id: one for one in reversed(settlements)}.values())
        values = {**columns_of(first), **lines_of(first), "worker": self.worker_id}
        tries = 0
        while True:
            tries += 1
            try:
                async with self._one_at_a_time:
                    rows = await self.database.fetch(SETTLE, values)
                if tries > 1:  # an earlier try may have been written while its answer was lost
                    named = {"usage_id": ids, "worker": self.worker_id}
                    rows = await self.database.fetch(SETTLED_BY, named)
            except DatabaseUnavailable:
                # What was used must be written down; nothing is lost by waiting for that.
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return answered(ids, rows)


def answered(asked: Sequence[UUID], rows: Sequence[tuple[Any, ...]]) -> Sequence[bool]:
    """Say for each id whether a statement returned it; of one asked twice only the first is."""
    returned = {usage_id for (usage_id,) in rows}
    answers = []
    for usage_id in asked:
        answers.append(usage_id in returned)
        returned.discard(usage_id)
    return answers


def prices_of(prices: Sequence[Price | None]) -> Mapping[str, Any]:
    """Write the prices in force; null is unknown."""
    return {
        "input_price": [price and price.input for price in prices],
        "output_price": [price and price.output for price in prices],
        "cached_input_price": [price and price.cached_input for price in prices],
        "price_version": [price and price.version for price in prices],
    }


def columns_of(settlements: Sequence[Settlement]) -> Mapping[str, Any]:
    """Write how calls ended. Who was asked last is known where somebody was asked."""
    costs = [settlement.cost for settlement in settlements]
    last = [one.attempts[-1] if one.attempts else None for one in settlements]
    return {
        "usage_id": [settlement.usage_id for settlement in settlements],
        "outcome": [settlement.outcome for settlement in settlements],
        "provider": [attempt and attempt.provider for attempt in last],
        "model": [attempt and attempt.model for attempt in last],
        "output_chars": [settlement.output_chars for settlement in settlements],
        "source": [one.usage and one.usage.source.value for one in settlements],
        **counts_of([settlement.usage for settlement in settlements]),
        "cost": [cost and cost.nano_usd for cost in costs],
        "price_version": [cost and cost.price_version for cost in costs],
        "attempts": [
            Jsonb([facts_of(attempt) for attempt in one.attempts])
            if len(one.attempts) > 1
            else None
            for one in settlements
        ],
    }


def lines_of(settlements: Sequence[Settlement]) -> Mapping[str, Any]:
    """Write what goes into the roll-ups: a line for each attempt, and the request with the last."""
    lines = [
        (settlement.usage_id, attempt, int(attempt is attempts[-1]))
        for settlement in settlements
        for attempts in [settlement.attempts or [unnamed(settlement)]]
        for attempt in attempts
    ]
    attempts = [attempt for _, attempt, _ in lines]
    columns = {
        "usage_id": [usage_id for usage_id, _, _ in lines],
        "provider": [attempt.provider or None for attempt in attempts],
        "model": [attempt.model or None for attempt in attempts],
        "requests": [requests for _, _, requests in lines],
        **counts_of([attempt.usage for attempt in attempts]),
        "cost": [attempt.cost and attempt.cost.nano_usd for attempt in attempts],
        "used": [attempt.usage is not None for attempt in attempts],
    }
    return {f"line_{name}": values for name, values in columns.items()}


def unnamed(settlement: Settlement) -> Attempted:
    """Return a settlement as one attempt of whoever the ledger's row names."""
    return Attempted("", "", settlement.outcome, settlement.usage, settlement.cost)


def counts_of(usages: Sequence[Usage | None]) -> Mapping[str, Any]:
    """Write counts of tokens; no usage is none."""
    return {
        "input_tokens": [usage.input_tokens if usage else 0 for usage in usages],
        "output_tokens": [usage.output_tokens if usage else 0 for usage in usages],
        "cached": [usage.cached_input_tokens if usage else 0 for usage in usages],
        "reasoning": [usage.reasoning_tokens if usage else 0 for usage in usages],
        "written": [usage.cache_write_tokens if usage else 0 for usage in usages],
        "lasting": [usage.long_cache_write_tokens if usage else 0 for usage in usages],
    }
