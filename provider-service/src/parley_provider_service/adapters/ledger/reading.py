"""What the ledger tells: single rows, and the sums that are written with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from parley_provider_sdk import Usage, UsageSource
from psycopg import sql

from parley_provider_service.adapters.database import Database
from parley_provider_service.core.model import Attempted, Cost, UsageRecord
from parley_provider_service.core.ports import MOST_SUMS
from parley_provider_service.core.pricing import counts_of, usage_of
from parley_provider_service.core.sums import UsageFilter, UsageGroup, UsageSum

ROW = """
usage_id, status = 'settled', input_tokens, output_tokens, cached_input_tokens,
reasoning_tokens, cache_write_tokens, long_cache_write_tokens, source, cost_nano_usd,
price_version, owner_id, key_id, provider, model, outcome, started_at, settled_at, attempts"""

FIND = f"""
select {ROW} from provider_usage
 where usage_id = any(%(usage_ids)s) and (%(owner)s::uuid is null or owner_id = %(owner)s)
 order by usage_id"""  # noqa: S608  (our own names)

# An id carries the time at which somebody made it, by a clock of its own: a day of grace lets
# months be left out, and the time at which the call began decides.
PAGE = f"""
select {ROW} from provider_usage
 where (%(owner)s::uuid is null or owner_id = %(owner)s)
   and (%(before)s::uuid is null or usage_id < %(before)s)
   and (%(provider)s::text is null or provider = %(provider)s)
   and (%(model)s::text is null or model = %(model)s)
   and (%(key_id)s::text is null or key_id = %(key_id)s)
   and (%(since)s::timestamptz is null or started_at >= %(since)s
        and usage_id >= first_id_of(%(since)s::timestamptz - interval '1 day'))
   and (%(until)s::timestamptz is null or started_at < %(until)s
        and usage_id < first_id_of(%(until)s::timestamptz + interval '1 day'))
 order by usage_id desc limit %(size)s"""  # noqa: S608  (our own names)

SUMS = """
select {groups}, coalesce(sum(requests), 0)::bigint, coalesce(sum(input_tokens), 0)::bigint,
       coalesce(sum(output_tokens), 0)::bigint, coalesce(sum(cached_input_tokens), 0)::bigint,
       coalesce(sum(reasoning_tokens), 0)::bigint, coalesce(sum(cost_nano_usd), 0)::bigint,
       coalesce(sum(unpriced_requests), 0)::bigint,
       coalesce(sum(cache_write_tokens), 0)::bigint,
       coalesce(sum(long_cache_write_tokens), 0)::bigint
  from usage_days
 where (%(owner)s::uuid is null or owner_id = %(owner)s)
   and (%(provider)s::text is null or provider = %(provider)s)
   and (%(model)s::text is null or model = %(model)s)
   and (%(key_id)s::text is null or key_id = %(key_id)s)
   and (%(since)s::timestamptz is null
        or day >= (%(since)s::timestamptz at time zone 'UTC')::date)
   and (%(until)s::timestamptz is null
        or day < %(until)s::timestamptz at time zone 'UTC')
{grouping} limit %(most)s"""

# Figures of a usage in a row.
COUNTED = 6
NO_WRITES = (0, 0)
COLUMNS = {
    UsageGroup.DAY: "day",
    UsageGroup.PROVIDER: "provider",
    UsageGroup.MODEL: "model",
    UsageGroup.USER: "owner_id",
    UsageGroup.KEY: "key_id",
}


class LedgerReader:
    """Reads `provider_usage` and `usage_days`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def find(self, owner_id: UUID | None, usage_ids: Sequence[UUID]) -> Sequence[UsageRecord]:
        """Return an owner's rows by id; anybody's for None."""
        values = {"owner": owner_id, "usage_ids": list(usage_ids)}
        return [record(row) for row in await self._seen_by(owner_id, FIND, values)]

    async def page(
        self, which: UsageFilter, before: UUID | None, size: int
    ) -> Sequence[UsageRecord]:
        """Return rows, newest first."""
        values = {**conditions(which), "before": before, "size": size}
        return [record(row) for row in await self._seen_by(which.owner_id, PAGE, values)]

    async def sums(self, which: UsageFilter, group_by: Sequence[UsageGroup]) -> Sequence[UsageSum]:
        """Return sums from the roll-ups, in the order of their groups."""
        names = [sql.Identifier(COLUMNS[group]) for group in group_by]
        groups = sql.SQL(", ").join(names) if names else sql.SQL("null")
        by = sql.SQL("group by {0} order by {0}").format(groups) if names else sql.SQL("")
        statement = sql.SQL(SUMS).format(groups=groups, grouping=by)
        values = {**conditions(which), "most": MOST_SUMS + 1}
        rows = await self._seen_by(which.owner_id, statement, values)
        return [sum_of(row, group_by) for row in rows]

    async def _seen_by(
        self, owner_id: UUID | None, statement: str | sql.Composed, values: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        """Run a statement in an owner's name; for None over what is everybody's."""
        if owner_id is None:
            return await self.database.jobs.fetch(statement, values)
        return await self.database.fetch(statement, values, owner_id)


def conditions(which: UsageFilter) -> Mapping[str, Any]:
    """Write a filter."""
    return {
        "owner": which.owner_id,
        "provider": which.provider,
        "model": which.model,
        "key_id": which.key_id,
        "since": which.since,
        "until": which.until,
    }


def record(row: Sequence[Any]) -> UsageRecord:
    """Read a row of the ledger; zero tokens without a source are no usage."""
    usage_id, settled, *counts = row[: 2 + COUNTED]
    source, cost, version, *rest = row[2 + COUNTED :]
    owner_id, key_id, provider, model, outcome, started_at, settled_at, attempts = rest
    usage = None if source is None else usage_of(counts, UsageSource(source))
    return UsageRecord(
        usage_id,
        settled,
        usage,
        None if cost is None else Cost(cost, version),
        owner_id=owner_id,
        key_id=key_id,
        provider=provider,
        model=model,
        outcome=outcome or "",
        started_at=started_at,
        settled_at=settled_at,
        attempts=tuple(attempted(one) for one in attempts or ()),
    )


def attempted(facts: Mapping[str, Any]) -> Attempted:
    """Read one attempt."""
    usage, cost = facts.get("usage"), facts.get("cost")
    return Attempted(
        facts["provider"],
        facts["model"],
        facts["outcome"],
        attempt_usage(usage, facts.get("cache_writes")) if usage else None,
        Cost(*cost) if cost else None,
        facts["duration_ms"],
    )


def attempt_usage(counted: Sequence[Any], writes: Sequence[int] | None) -> Usage:
    """Read what an attempt used."""
    *counts, source = counted
    return usage_of([*counts, *(writes or NO_WRITES)], UsageSource(source))


def facts_of(attempt: Attempted) -> Mapping[str, Any]:
    """Write one attempt as a JSON object; the release before reads five figures of its usage."""
    usage, cost = attempt.usage, attempt.cost
    counted: list[Any] | None = None
    writes: Sequence[int] = NO_WRITES
    if usage is not None:
        *counts, written, lasting = counts_of(usage)
        counted, writes = [*counts, usage.source.value], (written, lasting)
    return {
        "provider": attempt.provider,
        "model": attempt.model,
        "outcome": attempt.outcome,
        "usage": counted,
        "cost": None if cost is None else [cost.nano_usd, cost.price_version],
        "duration_ms": attempt.duration_ms,
        **({"cache_writes": writes} if any(writes) else {}),
    }


def sum_of(row: Sequence[Any], group_by: Sequence[UsageGroup]) -> UsageSum:
    """Read one sum; without groups the first column is nothing."""
    keys, counts = row[: max(len(group_by), 1)], row[max(len(group_by), 1) :]
    named = {COLUMNS[group]: key for group, key in zip(group_by, keys, strict=False)}
    return UsageSum(**named, **dict(zip(COUNTS, counts, strict=True)))


COUNTS = (
    "requests",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
    "unpriced_requests",
    "cache_write_tokens",
    "long_cache_write_tokens",
)
