"""The ledger in PostgreSQL: a call costs two rows' writing, shared with the calls beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from parley_provider_sdk import Usage, UsageSource
from parley_rpc.faults import DatabaseUnavailable
from typing_extensions import override

from parley_provider_service.adapters.batches import Batches
from parley_provider_service.adapters.database import Database
from parley_provider_service.core.model import Cost, Hold, Settlement, UsageRecord
from parley_provider_service.core.ports import Ledger
from parley_provider_service.core.pricing import CHARACTERS_PER_TOKEN, MILLION

LEASE_SECONDS = 10.0
AGAIN_SECONDS = 0.5

HOLD = """
insert into provider_usage
    (usage_id, owner_id, key_id, provider, model, worker_id, input_chars,
     input_price, output_price, cached_input_price, price_version)
select usage_id, owner_id, key_id, provider, model, %(worker)s, input_chars,
       input_price, output_price, cached_input_price, price_version
  from unnest(%(usage_id)s::uuid[], %(owner_id)s::uuid[], %(key_id)s::text[],
              %(provider)s::text[], %(model)s::text[], %(input_chars)s::bigint[],
              %(input_price)s::bigint[], %(output_price)s::bigint[],
              %(cached_input_price)s::bigint[], %(price_version)s::text[])
    as h(usage_id, owner_id, key_id, provider, model, input_chars,
         input_price, output_price, cached_input_price, price_version)
on conflict do nothing returning usage_id"""

# The status makes it exactly once, whoever else settles.
SETTLE = """
update provider_usage u
   set status = 'settled', settled_at = now(), outcome = s.outcome,
       output_chars = s.output_chars, source = s.source, input_tokens = s.input_tokens,
       output_tokens = s.output_tokens, cached_input_tokens = s.cached_input_tokens,
       reasoning_tokens = s.reasoning_tokens, cost_nano_usd = s.cost
  from unnest(%(usage_id)s::uuid[], %(outcome)s::text[], %(output_chars)s::bigint[],
              %(source)s::text[], %(input_tokens)s::bigint[], %(output_tokens)s::bigint[],
              %(cached_input_tokens)s::bigint[], %(reasoning_tokens)s::bigint[],
              %(cost)s::bigint[])
    as s(usage_id, outcome, output_chars, source, input_tokens, output_tokens,
         cached_input_tokens, reasoning_tokens, cost)
 where u.usage_id = s.usage_id and u.status = 'held' returning u.usage_id"""

RECORD = """
with lease as (
    insert into workers (worker_id, lease_until)
    values (%(worker)s, now() + make_interval(secs => %(lease)s))
    on conflict (worker_id) do update set lease_until = excluded.lease_until)
update provider_usage u set output_chars = r.output_chars
  from unnest(%(usage_id)s::uuid[], %(output_chars)s::bigint[]) as r(usage_id, output_chars)
 where u.usage_id = r.usage_id and u.status = 'held' and u.worker_id = %(worker)s
returning u.usage_id"""

# Estimates and rounds as core/pricing.py does. A call younger than a lease is left alone: its
# process may not have had the time to write one.
SWEEP = """
with dead as (
    select u.usage_id from provider_usage u
     where u.status = 'held' and u.started_at < now() - make_interval(secs => %(lease)s)
       and not exists (select from workers w
                        where w.worker_id = u.worker_id and w.lease_until > now())
     limit 500 for update skip locked)
update provider_usage u
   set status = 'settled', settled_at = now(), outcome = 'interrupted', source = 'estimated',
       input_tokens = t.input, output_tokens = t.output, cached_input_tokens = 0,
       reasoning_tokens = 0,
       cost_nano_usd = ceil((t.input * u.input_price + t.output * u.output_price) / %(million)s)
  from dead join provider_usage d using (usage_id) cross join lateral (
       select case when d.output_chars > 0 then ceil(d.input_chars / %(chars)s) else 0 end,
              ceil(d.output_chars / %(chars)s)) as t(input, output)
 where u.usage_id = dead.usage_id and u.status = 'held' returning u.usage_id"""

# Workers that are gone for so long have nothing left to sweep.
FORGET = "delete from workers where lease_until < now() - interval '1 hour' returning 1"

RELEASE = "delete from workers where worker_id = %(worker)s returning 1"

FIND = """
select usage_id, status = 'settled', input_tokens, output_tokens, cached_input_tokens,
       reasoning_tokens, source, cost_nano_usd, price_version
  from provider_usage
 where usage_id = any(%(usage_ids)s) and owner_id = %(owner)s order by usage_id"""


class PostgresLedger(Ledger):
    """Keeps the table `provider_usage` for one process, whose lease is named by `worker_id`."""

    def __init__(
        self, database: Database, worker_id: UUID, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self.database = database
        self.worker_id = worker_id
        self.lease_seconds = lease_seconds
        self._holds = Batches(self._hold)
        self._settlements = Batches(self._settle)
        # Two statements over several rows each must not wait for each other's.
        self._one_at_a_time = asyncio.Lock()

    @override
    async def hold(self, hold: Hold) -> bool:
        return await self._holds.ask(hold)

    @override
    async def settle(self, settlement: Settlement) -> bool:
        return await self._settlements.ask(settlement)

    @override
    async def record(self, output_chars: Mapping[UUID, int]) -> frozenset[UUID]:
        values = {
            "usage_id": list(output_chars),
            "output_chars": list(output_chars.values()),
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
        }
        rows = await self.database.fetch(SWEEP, values)
        await self.database.fetch(FORGET, {})
        await self.database.fetch("select ensure_usage_partitions()", {})
        return len(rows)

    @override
    async def release(self) -> None:
        await self.database.fetch(RELEASE, {"worker": self.worker_id})

    @override
    async def find(self, owner_id: UUID, usage_ids: Sequence[UUID]) -> Sequence[UsageRecord]:
        values = {"owner": owner_id, "usage_ids": list(usage_ids)}
        return [record(row) for row in await self.database.fetch(FIND, values)]

    async def _hold(self, holds: Sequence[Hold]) -> Sequence[bool]:
        prices = [hold.price for hold in holds]
        values = {
            "worker": self.worker_id,
            "usage_id": [hold.usage_id for hold in holds],
            "owner_id": [hold.owner_id for hold in holds],
            "key_id": [hold.key_id for hold in holds],
            "provider": [hold.provider for hold in holds],
            "model": [hold.model for hold in holds],
            "input_chars": [hold.input_chars for hold in holds],
            "input_price": [price and price.input for price in prices],
            "output_price": [price and price.output for price in prices],
            "cached_input_price": [price and price.cached_input for price in prices],
            "price_version": [price and price.version for price in prices],
        }
        rows = await self.database.fetch(HOLD, values)
        return answered([hold.usage_id for hold in holds], rows)

    async def _settle(self, settlements: Sequence[Settlement]) -> Sequence[bool]:
        usages = [settlement.usage for settlement in settlements]
        costs = [settlement.cost for settlement in settlements]
        ids = [settlement.usage_id for settlement in settlements]
        values = {
            "usage_id": ids,
            "outcome": [settlement.outcome for settlement in settlements],
            "output_chars": [settlement.output_chars for settlement in settlements],
            "source": [usage and usage.source.value for usage in usages],
            "input_tokens": [usage.input_tokens if usage else 0 for usage in usages],
            "output_tokens": [usage.output_tokens if usage else 0 for usage in usages],
            "cached_input_tokens": [u.cached_input_tokens if u else 0 for u in usages],
            "reasoning_tokens": [usage.reasoning_tokens if usage else 0 for usage in usages],
            "cost": [cost and cost.nano_usd for cost in costs],
        }
        while True:
            try:
                async with self._one_at_a_time:
                    rows = await self.database.fetch(SETTLE, values)
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


def record(row: Sequence[Any]) -> UsageRecord:
    """Read a row of the ledger; zero tokens without a source are no usage."""
    usage_id, settled, given, made, cached, reasoning, source, cost, version = row
    usage = None
    if source is not None:
        usage = Usage(given, made, cached, reasoning, UsageSource(source))
    return UsageRecord(usage_id, settled, usage, None if cost is None else Cost(cost, version))
