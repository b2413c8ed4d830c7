"""One suite for every ledger: what callers may use is held before, and counted after, each call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from parley_provider_sdk import Usage
from parley_provider_service.core.allowances import Allowance, Exhausted, Meter, Share
from parley_provider_service.core.model import Cost, Hold, Settlement
from parley_provider_service.core.ports import Ledger

from .conftest import NewLedger
from .test_ledger import made, new_hold

DAY = Allowance("user:ada", Meter.DAILY_COST, 1_000)
MONTH = Allowance("user:ada", Meter.MONTHLY_COST, 1_500)
KEY = Allowance("key:one", Meter.DAILY_COST, 700)
TOKENS = Allowance("user:ada", Meter.TOKENS_PER_MINUTE, 100)
TURNS = Allowance("key:one", Meter.CONCURRENT_TURNS, 2)


def taking(hold: Hold, amount: int, *allowances: Allowance) -> Hold:
    return replace(hold, shares=[Share(one, amount) for one in allowances])


def used(hold: Hold, cost: int | None, *, tokens: int = 0) -> Settlement:
    nano = None if cost is None else Cost(cost, "list 1")
    return Settlement(hold.usage_id, "stop", Usage(tokens, 0), nano, 1)


async def states(ledger: Ledger, *allowances: Allowance) -> Sequence[tuple[int, int, int]]:
    return [(b.used, b.held, b.left) for b in await ledger.balances(allowances)]


async def test_what_is_held_is_counted_when_it_is_settled(new_ledger: NewLedger, ada: UUID) -> None:
    ledger, hold = new_ledger(), taking(new_hold(ada), 600, DAY, KEY, MONTH)

    before = await states(ledger, DAY, KEY)
    assert await ledger.hold(hold)
    running = await states(ledger, DAY, KEY, MONTH)
    settled = [await ledger.settle(used(hold, 200)), await ledger.settle(used(hold, 200))]
    after = await states(ledger, MONTH, DAY, KEY)

    assert [(0, 0, 1_000), (0, 0, 700)] == before
    assert [(0, 600, 400), (0, 600, 100), (0, 600, 900)] == running
    assert [True, False] == settled
    assert [(200, 0, 1_300), (200, 0, 800), (200, 0, 500)] == after


async def test_all_is_held_or_nothing(new_ledger: NewLedger, ada: UUID) -> None:
    ledger, hold = new_ledger(), taking(new_hold(ada), 800, DAY, KEY, MONTH)

    with pytest.raises(Exhausted) as refused:
        await ledger.hold(hold)

    assert [(KEY, 0, 0)] == [(b.allowance, b.used, b.held) for b in refused.value.balances]
    assert [(0, 0, 1_000), (0, 0, 700)] == await states(ledger, DAY, KEY)
    assert [] == list(await ledger.find(ada, [hold.usage_id]))
    # Refused, it may be tried again for less.
    assert await ledger.hold(taking(hold, 700, DAY, KEY))


async def test_a_crowd_holds_exactly_what_there_is(new_ledger: NewLedger, ada: UUID) -> None:
    ledgers = [new_ledger(), new_ledger()]
    holds = [taking(new_hold(ada), 30, DAY, KEY) for _ in range(50)]

    answers = await asyncio.gather(
        *(ledgers[number % 2].hold(hold) for number, hold in enumerate(holds)),
        return_exceptions=True,
    )

    assert (23, 27) == (
        answers.count(True),
        sum(isinstance(answer, Exhausted) for answer in answers),
    )
    assert [(0, 690, 310), (0, 690, 10)] == await states(ledgers[0], DAY, KEY)


async def test_tokens_and_turns_are_counted_in_their_own_units(
    new_ledger: NewLedger, ada: UUID
) -> None:
    ledger = new_ledger()
    holds = [new_hold(ada) for _ in range(3)]
    holds = [replace(one, shares=[Share(TOKENS, 40), Share(TURNS, 1)]) for one in holds]

    assert [True, True] == [await ledger.hold(hold) for hold in holds[:2]]
    with pytest.raises(Exhausted) as refused:
        await ledger.hold(holds[2])
    await ledger.settle(used(holds[0], None, tokens=7))

    assert {TOKENS, TURNS} == {balance.allowance for balance in refused.value.balances}
    [tokens, turns] = await ledger.balances([TOKENS, TURNS])
    assert (7, 40, 53) == (tokens.used, tokens.held, tokens.left)
    assert (0, 1, 1) == (turns.used, turns.held, turns.left)
    assert 0 < tokens.seconds_left <= 60
    assert tokens.resets_at is not None
    assert (None, 0.0) == (turns.resets_at, turns.seconds_left)


async def test_a_call_may_hold_more_while_there_is_more(new_ledger: NewLedger, ada: UUID) -> None:
    ledger, hold = new_ledger(), taking(new_hold(ada), 300, DAY, KEY)
    await ledger.hold(hold)
    other = taking(new_hold(ada), 200, KEY)
    await ledger.hold(other)

    await ledger.extend(hold.usage_id, [Share(DAY, 450), Share(KEY, 450)])
    await ledger.extend(hold.usage_id, [Share(DAY, 10), Share(KEY, 10)])
    with pytest.raises(Exhausted) as refused:
        await ledger.extend(hold.usage_id, [Share(DAY, 501), Share(KEY, 501)])

    assert [KEY] == [balance.allowance for balance in refused.value.balances]
    assert [(0, 450, 550), (0, 650, 50)] == await states(ledger, DAY, KEY)
    await ledger.settle(used(hold, 460))
    await ledger.settle(used(other, 0))
    assert [(460, 0, 540), (460, 0, 240)] == await states(ledger, DAY, KEY)


async def test_who_takes_a_call_over_holds_it_no_second_time(
    new_ledger: NewLedger, ada: UUID
) -> None:
    lost, living, hold = new_ledger(), new_ledger(), taking(new_hold(ada), 400, DAY, KEY)
    await lost.hold(hold)

    assert await living.hold(hold)
    held = await states(living, DAY, KEY)
    settled = [await lost.settle(used(hold, 50)), await living.settle(used(hold, 60))]

    assert [(0, 400, 600), (0, 400, 300)] == held
    assert [False, True] == settled
    assert [(60, 0, 940), (60, 0, 640)] == await states(living, DAY, KEY)


async def test_what_a_dead_process_held_is_let_go_when_it_is_swept(
    new_ledger: NewLedger, ada: UUID
) -> None:
    dying, living = new_ledger(0.1), new_ledger(0.1)
    hold = replace(new_hold(ada), shares=[Share(DAY, 900), Share(TURNS, 1), Share(TOKENS, 90)])
    big = replace(DAY, limit=10**9)
    await dying.hold(replace(hold, shares=[Share(big, 900), *hold.shares[1:]]))
    await dying.record({hold.usage_id: made(hold, 41)})
    await asyncio.sleep(0.3)

    assert [1, 0] == [await living.sweep(), await living.sweep()]

    # 3 tokens at 2,500 nano-dollars and 11 at 10,000, as for everybody who is swept.
    assert [(117_500, 0), (14, 0), (0, 0)] == [
        (b.used, b.held) for b in await living.balances([big, TOKENS, TURNS])
    ]


async def test_without_allowances_nothing_is_held(new_ledger: NewLedger, ada: UUID) -> None:
    ledger, hold = new_ledger(), new_hold(ada)
    await ledger.hold(hold)
    await ledger.settle(used(hold, 100))
    assert [(0, 0, 1_000)] == await states(ledger, DAY)


async def test_many_are_settled_together(new_ledger: NewLedger, ada: UUID) -> None:
    ledger, free = new_ledger(), replace(DAY, limit=10**6)
    holds = [taking(new_hold(ada), 100, free, TURNS_FREE) for _ in range(40)]
    await asyncio.gather(*(ledger.hold(hold) for hold in holds))

    settled = await asyncio.gather(*(ledger.settle(used(hold, 3)) for hold in holds))

    assert all(settled)
    assert [(120, 0, 999_880)] == await states(ledger, free)


TURNS_FREE = replace(TURNS, limit=10**6)
