"""One suite for every ledger: held once, settled once, swept when its process died."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

from parley_provider_sdk import Usage, UsageSource
from parley_provider_service.core.model import Cost, Hold, Price, Progress, Settlement, UsageRecord
from uuid_utils.compat import uuid7

from .conftest import NewLedger

PRICE = Price(2_500_000_000, 10_000_000_000, 1_250_000_000, "list 1")


def new_hold(owner: UUID, *, input_chars: int = 10, price: Price | None = PRICE) -> Hold:
    return Hold(uuid7(), owner, "key", "acme", "small", input_chars, price)


def settlement_of(hold: Hold) -> Settlement:
    usage = Usage(10, 20, 4, 5, cache_write_tokens=3, long_cache_write_tokens=2)
    return Settlement(hold.usage_id, "stop", usage, Cost(220_000, "list 1"), 80)


async def test_a_call_is_held_and_then_settled(new_ledger: NewLedger, ada: UUID) -> None:
    ledger, hold = new_ledger(), new_hold(ada)

    held = await ledger.hold(hold)
    before = await ledger.find(ada, [hold.usage_id])
    settled = await ledger.settle(settlement_of(hold))

    assert (True, True) == (held, settled)
    assert [(False, None, None, "")] == [figures(row) for row in before]
    usage, cost = settlement_of(hold).usage, settlement_of(hold).cost
    [row] = await ledger.find(ada, [hold.usage_id])
    assert (True, usage, cost, "stop") == figures(row)
    assert (ada, "key", hold.provider, hold.model) == (
        row.owner_id,
        row.key_id,
        row.provider,
        row.model,
    )


def figures(row: UsageRecord) -> tuple[bool, Usage | None, Cost | None, str]:
    return row.settled, row.usage, row.cost, row.outcome


async def test_an_id_is_held_once_by_a_process_and_settled_once_by_two(
    new_ledger: NewLedger, ada: UUID
) -> None:
    ledger, other, hold = new_ledger(), new_ledger(), new_hold(ada)

    held = await asyncio.gather(
        ledger.hold(hold), ledger.hold(hold), other.hold(hold), other.hold(hold)
    )
    settled = await asyncio.gather(
        ledger.settle(settlement_of(hold)), other.settle(settlement_of(hold))
    )

    # The one may take over from the other, who has made nothing yet.
    assert (True, True) == (sum(held[:2]) <= 1, sum(held[2:]) <= 1)
    assert any(held)
    assert 1 == sum(settled)
    assert not await ledger.hold(replace(hold, model="large"))


async def test_a_call_is_settled_once(new_ledger: NewLedger, ada: UUID) -> None:
    ledger, hold = new_ledger(), new_hold(ada)
    await ledger.hold(hold)
    dearer = replace(settlement_of(hold), cost=Cost(999_999, "list 1"))

    settled = [await ledger.settle(settlement_of(hold)), await ledger.settle(dearer)]

    assert [True, False] == settled
    [row] = await ledger.find(ada, [hold.usage_id])
    assert Cost(220_000, "list 1") == row.cost
    assert not await ledger.settle(settlement_of(new_hold(ada)))


async def test_many_calls_at_once_keep_their_own_figures(new_ledger: NewLedger, ada: UUID) -> None:
    ledger, holds = new_ledger(), [new_hold(ada) for _ in range(700)]

    await asyncio.gather(*(ledger.hold(hold) for hold in holds))
    settlements = [
        Settlement(hold.usage_id, "stop", Usage(number, 1), None, number)
        for number, hold in enumerate(holds)
    ]
    assert all(await asyncio.gather(*(ledger.settle(one) for one in settlements)))

    rows = await ledger.find(ada, [hold.usage_id for hold in holds])
    tokens = {row.usage_id: row.usage.input_tokens for row in rows if row.usage}
    assert {hold.usage_id: number for number, hold in enumerate(holds)} == tokens


async def test_nothing_used_is_no_usage(new_ledger: NewLedger, ada: UUID) -> None:
    ledger, hold = new_ledger(), new_hold(ada, price=None)
    await ledger.hold(hold)

    await ledger.settle(Settlement(hold.usage_id, "unreachable", None, None, 0))

    [row] = await ledger.find(ada, [hold.usage_id])
    assert (True, None, None, "unreachable") == figures(row)


async def test_an_owner_finds_only_what_is_there_and_hers(
    new_ledger: NewLedger, ada: UUID, bob: UUID
) -> None:
    ledger, hers, his = new_ledger(), new_hold(ada), new_hold(bob)
    await ledger.hold(hers)
    await ledger.hold(his)

    asked = [his.usage_id, uuid7(), hers.usage_id, hers.usage_id]
    found, all_there_is = await ledger.find(ada, asked), await ledger.find(None, asked)

    assert [hers.usage_id] == [row.usage_id for row in found]
    assert [hers.usage_id, his.usage_id] == [row.usage_id for row in all_there_is]


def made(hold: Hold, chars: int) -> Progress:
    return Progress(chars, hold.provider, hold.model, hold.price)


async def test_recording_tells_what_is_still_held(new_ledger: NewLedger, ada: UUID) -> None:
    ledger, other = new_ledger(), new_ledger()
    open_, settled, foreign = new_hold(ada), new_hold(ada), new_hold(ada)
    await ledger.hold(open_)
    await ledger.hold(settled)
    await other.hold(foreign)
    await ledger.settle(settlement_of(settled))

    held = await ledger.record(
        {
            open_.usage_id: made(open_, 8),
            settled.usage_id: made(settled, 8),
            foreign.usage_id: made(foreign, 8),
            uuid7(): made(open_, 8),
        }
    )

    assert {open_.usage_id} == held


async def test_the_calls_of_a_dead_process_are_settled_from_what_it_recorded(
    new_ledger: NewLedger, ada: UUID
) -> None:
    dying, living = new_ledger(1), new_ledger(1)
    produced, silent = new_hold(ada, input_chars=10), new_hold(ada, input_chars=10)
    for hold in (produced, silent):
        await dying.hold(hold)
    await dying.record({produced.usage_id: made(produced, 41), silent.usage_id: made(silent, 0)})
    early = await living.sweep()
    await asyncio.sleep(1.2)

    swept = [await living.sweep(), await living.sweep()]

    assert (0, [2, 0]) == (early, swept)
    rows = {
        row.usage_id: row for row in await living.find(ada, [silent.usage_id, produced.usage_id])
    }
    assert Usage(3, 11, source=UsageSource.ESTIMATED) == rows[produced.usage_id].usage
    # 3 tokens at 2,500 nano-dollars and 11 at 10,000.
    assert Cost(117_500, "list 1") == rows[produced.usage_id].cost
    assert Usage(0, 0, source=UsageSource.ESTIMATED) == rows[silent.usage_id].usage
    assert not await dying.settle(settlement_of(produced))


async def test_the_sweepers_estimate_rounds_up_once(new_ledger: NewLedger, ada: UUID) -> None:
    dying, living = new_ledger(0.1), new_ledger(0.1)
    cheap = Price(1, 3, None, "cheap")
    hold, unpriced = new_hold(ada, input_chars=9, price=cheap), new_hold(ada, price=None)
    for one in (hold, unpriced):
        await dying.hold(one)
    await dying.record({hold.usage_id: made(hold, 5), unpriced.usage_id: made(unpriced, 5)})
    await asyncio.sleep(0.3)

    assert 2 == await living.sweep()

    costs = [row.cost for row in await living.find(ada, [hold.usage_id, unpriced.usage_id])]
    assert [Cost(1, "cheap"), None] == costs


async def test_the_calls_of_living_processes_are_left_alone(
    new_ledger: NewLedger, ada: UUID
) -> None:
    living, new, hold, newer = new_ledger(1), new_ledger(1), new_hold(ada), new_hold(ada)
    await living.hold(hold)
    await asyncio.sleep(1.1)
    await living.record({hold.usage_id: made(hold, 4)})
    # A process that has just begun may not have had the time to say that it lives.
    await new.hold(newer)

    assert 0 == await living.sweep()


async def test_a_process_that_ends_leaves_its_calls_to_the_others(
    new_ledger: NewLedger, ada: UUID
) -> None:
    ending, living, hold = new_ledger(0.2), new_ledger(0.2), new_hold(ada)
    await ending.hold(hold)
    await ending.record({hold.usage_id: made(hold, 4)})
    await ending.release()
    await asyncio.sleep(0.3)

    assert 1 == await living.sweep()
