"""What a ledger tells: who answered, every attempt, pages back in time, and sums."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from parley_provider_sdk import Usage
from parley_provider_service.core.model import Attempted, Cost, Hold, Price, Progress, Settlement
from parley_provider_service.core.ports import Ledger
from parley_provider_service.core.pricing import total_cost, total_usage
from parley_provider_service.core.sums import UsageFilter, UsageGroup, UsageSum

from .conftest import NewLedger
from .test_ledger import new_hold


async def settled(ledger: Ledger, hold: Hold, *attempts: Attempted) -> None:
    """Hold a call and settle it as these attempts made it."""
    await ledger.hold(hold)
    usage = total_usage([one.usage for one in attempts])
    last = attempts[-1].outcome
    await ledger.settle(Settlement(hold.usage_id, last, usage, total_cost(attempts), 0, attempts))


WRITTEN = Usage(10, 20, 4, 8, cache_write_tokens=3, long_cache_write_tokens=1)
FAILED = Attempted("acme", "small", "overloaded", Usage(5, 0), Cost(12, "list 1"), 30)
DONE = Attempted("beta", "large", "stop", WRITTEN, Cost(700, "list 2"), 400)
FREE = Attempted("demo", "demo", "stop", Usage(1, 2), Cost(0, "free"), 5)
UNPRICED = Attempted("acme", "odd", "stop", Usage(3, 4), None, 5)
NOTHING = Attempted("acme", "small", "unreachable", None, None, 1)


async def test_a_row_names_who_answered_and_every_attempt(new_ledger: NewLedger, ada: UUID) -> None:
    ledger, hold, once = new_ledger(), new_hold(ada), new_hold(ada)
    await settled(ledger, hold, FAILED, DONE)
    await settled(ledger, once, DONE)

    rows = {row.usage_id: row for row in await ledger.find(ada, [hold.usage_id, once.usage_id])}

    row = rows[hold.usage_id]
    assert ("beta", "large", (FAILED, DONE)) == (row.provider, row.model, row.attempts)
    assert replace(WRITTEN, input_tokens=15) == row.usage
    assert Cost(712, "list 1 + list 2") == row.cost
    assert () == rows[once.usage_id].attempts


async def test_a_page_of_the_ledger_goes_back_in_time(
    new_ledger: NewLedger, ada: UUID, bob: UUID
) -> None:
    ledger, holds = new_ledger(), [new_hold(ada) for _ in range(5)]
    for hold in holds:
        await settled(ledger, hold, DONE)
    await ledger.hold(new_hold(bob))

    hers = UsageFilter(owner_id=ada)
    first = await ledger.page(hers, None, 3)
    rest = await ledger.page(hers, first[-1].usage_id, 3)
    every = await ledger.page(UsageFilter(), None, 10)

    ids = [row.usage_id for row in [*first, *rest]]
    assert [hold.usage_id for hold in reversed(holds)] == ids
    assert 6 == len(every)
    assert not every[0].settled


async def test_a_page_keeps_what_is_asked_for(new_ledger: NewLedger, ada: UUID) -> None:
    ledger = new_ledger()
    for attempt in (DONE, FREE, UNPRICED):
        await settled(ledger, new_hold(ada), attempt)
    now = datetime.now(UTC)

    async def models(**which: Any) -> list[str]:
        rows = await ledger.page(UsageFilter(**which), None, 10)
        return [row.model for row in rows]

    assert ["large"] == await models(provider="beta")
    assert ["odd"] == await models(model="odd")
    assert ["odd", "demo", "large"] == await models(since=now - timedelta(minutes=1))
    assert [] == await models(since=now + timedelta(minutes=1))
    assert [] == await models(until=now - timedelta(minutes=1))


async def test_sums_are_those_of_the_rows_divided_as_asked(
    new_ledger: NewLedger, ada: UUID, bob: UUID
) -> None:
    ledger = new_ledger()
    await settled(ledger, new_hold(ada), FAILED, DONE)
    await settled(ledger, new_hold(ada), DONE)
    await settled(ledger, new_hold(ada), UNPRICED)
    await settled(ledger, new_hold(bob), FREE)
    await settled(ledger, new_hold(bob), NOTHING)
    await ledger.hold(new_hold(bob))

    everything = UsageFilter()
    [total] = await ledger.sums(everything, [])
    by_provider = await ledger.sums(everything, [UsageGroup.PROVIDER])
    hers = await ledger.sums(UsageFilter(owner_id=ada), [UsageGroup.USER, UsageGroup.MODEL])

    assert (
        UsageSum(
            requests=5,
            input_tokens=29,
            output_tokens=46,
            cached_input_tokens=8,
            reasoning_tokens=16,
            cost_nano_usd=1_412,
            unpriced_requests=1,
            cache_write_tokens=6,
            long_cache_write_tokens=2,
        )
        == total
    )
    # The attempt that failed counts for who was asked; the request for who was asked last.
    assert [("acme", 2, 12, 1), ("beta", 2, 1_400, 0), ("demo", 1, 0, 0)] == [
        (one.provider, one.requests, one.cost_nano_usd, one.unpriced_requests)
        for one in by_provider
    ]
    assert [(ada, "large", 2), (ada, "odd", 1), (ada, "small", 0)] == [
        (one.owner_id, one.model, one.requests) for one in hers
    ]


async def test_sums_are_divided_by_the_day_in_utc_and_by_key(
    new_ledger: NewLedger, ada: UUID
) -> None:
    ledger = new_ledger()
    await settled(ledger, new_hold(ada), DONE)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    [one] = await ledger.sums(UsageFilter(), [UsageGroup.DAY, UsageGroup.KEY])
    none = await ledger.sums(UsageFilter(since=today + timedelta(days=1)), [UsageGroup.DAY])
    [empty] = await ledger.sums(UsageFilter(until=today), [])
    [whole] = await ledger.sums(UsageFilter(since=today, until=today + timedelta(days=1)), [])

    assert (today.date(), "key", 1) == (one.day, one.key_id, one.requests)
    assert ([], UsageSum()) == (list(none), empty)
    assert 1 == whole.requests


async def test_what_is_swept_is_summed_too(new_ledger: NewLedger, ada: UUID) -> None:
    dying, living, hold = new_ledger(0.1), new_ledger(0.1), new_hold(ada, input_chars=8)
    await dying.hold(hold)
    other = Price(1_000_000, 1_000_000, None, "list 9")
    await dying.record({hold.usage_id: Progress(40, "beta", "large", other)})
    await asyncio.sleep(0.3)

    await living.sweep()

    # Who was asked last, at that one's price: what was recorded, not what was held.
    [one] = await living.sums(UsageFilter(), [UsageGroup.PROVIDER, UsageGroup.MODEL])
    assert ("beta", "large", 1, 2, 10, 12) == (
        one.provider,
        one.model,
        one.requests,
        one.input_tokens,
        one.output_tokens,
        one.cost_nano_usd,
    )
    [row] = await living.find(ada, [hold.usage_id])
    assert Cost(12, "list 9") == row.cost


async def test_an_attempt_that_used_nothing_has_no_sums(new_ledger: NewLedger, ada: UUID) -> None:
    ledger = new_ledger()
    await settled(ledger, new_hold(ada), NOTHING, DONE)
    sums = await ledger.sums(UsageFilter(), [UsageGroup.PROVIDER])
    assert [("beta", 1)] == [(one.provider, one.requests) for one in sums]


async def test_what_is_settled_twice_at_once_is_summed_once(
    new_ledger: NewLedger, ada: UUID
) -> None:
    ledger, hold = new_ledger(), new_hold(ada)
    await ledger.hold(hold)
    settlement = Settlement(hold.usage_id, "stop", DONE.usage, DONE.cost, 0, (DONE,))

    settled = await asyncio.gather(*(ledger.settle(settlement) for _ in range(3)))

    assert 1 == sum(settled)
    [total] = await ledger.sums(UsageFilter(), [])
    assert (1, 700) == (total.requests, total.cost_nano_usd)
