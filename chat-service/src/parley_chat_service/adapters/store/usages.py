"""Replies in PostgreSQL whose usage only the ledger knows, until it is copied from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from parley_chat_service.adapters.database import Database
from parley_chat_service.core.turn import Settled

UNSETTLED = "select message_id from unsettled where message_id > %s order by message_id limit %s"
# In one order everywhere, so that no two processes wait for each other's rows. Who was asked last
# stands in a reply already, unless its process died before it could write that down.
SETTLE = """
    with known as (
        delete from unsettled u using (
            select message_id from unsettled where message_id = any(%(ids)b)
            order by message_id for update) o
        where u.message_id = o.message_id returning u.message_id)
    update messages m set input_tokens = s.input_tokens, output_tokens = s.output_tokens,
        cached_input_tokens = s.cached_input_tokens, reasoning_tokens = s.reasoning_tokens,
        usage_source = s.source, cost_nano_usd = s.nano_usd, price_version = s.price_version,
        provider = coalesce(nullif(s.provider, ''), m.provider),
        model = coalesce(nullif(s.model, ''), m.model)
    from known join unnest(%(ids)b, %(input_tokens)b::bigint[], %(output_tokens)b::bigint[],
            %(cached_input_tokens)b::bigint[], %(reasoning_tokens)b::bigint[], %(sources)b::text[],
            %(nano_usd)b::bigint[], %(price_versions)b::text[], %(providers)b::text[],
            %(models)b::text[])
        s (message_id, input_tokens, output_tokens, cached_input_tokens, reasoning_tokens, source,
            nano_usd, price_version, provider, model) using (message_id)
    where m.message_id = known.message_id
"""
GIVE_UP = "delete from unsettled where message_id = any(%b) and expire_time < now()"


class PostgresUsageStore:
    """Keeps the names of replies that are not settled, and writes what they used."""

    def __init__(self, database: Database) -> None:
        self.database = database.jobs

    async def unsettled(self, after: UUID, most: int) -> Sequence[UUID]:
        """Return some of them, in order, from behind an id on."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(UNSETTLED, [after, most], binary=True)
            return [row[0] for row in await cursor.fetchall()]

    async def settle(self, settled: Mapping[UUID, Settled]) -> None:
        """Write what they used, and forget their names."""
        async with self.database.connection() as connection:
            await connection.execute(SETTLE, parameters_of(settled))

    async def give_up(self, message_ids: Sequence[UUID]) -> None:
        """Forget those of them whose time has long passed: nothing was asked for them."""
        async with self.database.connection() as connection:
            await connection.execute(GIVE_UP, [list(message_ids)])


def parameters_of(settled: Mapping[UUID, Settled]) -> dict[str, object]:
    """Return the parameters of SETTLE."""
    usages = [one.usage for one in settled.values()]
    costs = [one.cost for one in settled.values()]
    choices = [one.choice for one in settled.values()]
    return {
        "ids": list(settled),
        "input_tokens": [usage and usage.input_tokens for usage in usages],
        "output_tokens": [usage and usage.output_tokens for usage in usages],
        "cached_input_tokens": [usage and usage.cached_input_tokens for usage in usages],
        "reasoning_tokens": [usage and usage.reasoning_tokens for usage in usages],
        "sources": [usage and usage.source for usage in usages],
        "nano_usd": [cost and cost.nano_usd for cost in costs],
        "price_versions": [cost and cost.price_version for cost in costs],
        "providers": [choice.provider for choice in choices],
        "models": [choice.model for choice in choices],
    }
