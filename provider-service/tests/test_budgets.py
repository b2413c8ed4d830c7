"""Budgets in a real PostgreSQL: windows that end, calls without end, and all of it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from parley_provider_sdk import Usage
from parley_provider_service.adapters.database import Database
from parley_provider_service.adapters.ledger import PostgresLedger
from parley_provider_service.core.allowances import Allowance, Exhausted, Meter, Share
from parley_provider_service.core.model import Attempted, Cost, Hold, Settlement
from parley_provider_service.core.ports import Ledger
from parley_provider_service.settings import Settings
from uuid_utils.compat import uuid7

from .test_allowances import DAY, TOKENS, states, taking, used
from .test_ledger import new_hold

pytestmark = pytest.mark.integration

MOVE_BUDGETS = """update budgets set window_start = window_start + make_interval(secs => %s)
    where meter = %s returning 1"""
MOVE_HOLDS = """update provider_usage set hold_windows =
    array(select w + make_interval(secs => %s) from unnest(hold_windows) w)
    where usage_id = %s returning 1"""
DAY_SECONDS = 86_400
MONTH = Allowance("user:ada", Meter.MONTHLY_COST, 5_000)


def told(settings: Settings, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.conninfo) as owner:
        owner.execute("set search_path = provider")
        return owner.execute(query, values).fetchall()


@pytest.fixture
def ledger(database: Database) -> PostgresLedger:
    return PostgresLedger(database, uuid4())


async def test_a_day_ends_and_everything_is_there_again(
    ledger: Ledger, settings: Settings, ada: UUID
) -> None:
    yesterdays, todays = taking(new_hold(ada), 900, DAY, MONTH), taking(new_hold(ada), 700, DAY)
    await ledger.hold(yesterdays)
    told(settings, MOVE_BUDGETS, -DAY_SECONDS, "daily_cost")
    told(settings, MOVE_HOLDS, -DAY_SECONDS, yesterdays.usage_id)

    before = await states(ledger, DAY)
    await ledger.hold(todays)
    running = await states(ledger, DAY)
    await ledger.settle(used(yesterdays, 850))
    after = await states(ledger, DAY)
    await ledger.settle(used(todays, 20))

    # What began yesterday counts for yesterday.
    assert [(0, 0, 1_000)] == before
    assert [(0, 700, 300)] == running == after
    assert [(20, 0, 980)] == await states(ledger, DAY)


async def test_what_is_settled_late_in_a_day_that_nobody_has_begun_counts_there(
    ledger: Ledger, settings: Settings, ada: UUID
) -> None:
    hold = taking(new_hold(ada), 900, DAY)
    await ledger.hold(hold)
    told(settings, MOVE_BUDGETS, -DAY_SECONDS, "daily_cost")
    told(settings, MOVE_HOLDS, -DAY_SECONDS, hold.usage_id)

    await ledger.settle(used(hold, 850))

    assert [(850, 0)] == told(settings, "select used, held from budgets")
    assert [(0, 0, 1_000)] == await states(ledger, DAY)


async def test_more_is_not_asked_of_a_day_in_which_a_call_did_not_begin(
    ledger: Ledger, settings: Settings, ada: UUID
) -> None:
    hold = taking(new_hold(ada), 900, DAY)
    await ledger.hold(hold)
    told(settings, MOVE_HOLDS, -DAY_SECONDS, hold.usage_id)

    await ledger.extend(hold.usage_id, [Share(DAY, 5_000)])

    assert [(0, 900, 100)] == await states(ledger, DAY)


async def test_calls_of_several_windows_are_settled_in_one_statement(
    ledger: PostgresLedger, settings: Settings, ada: UUID
) -> None:
    holds = [taking(new_hold(ada), 30, TOKENS, DAY) for _ in range(3)]
    for number, hold in enumerate(holds):
        await ledger.hold(hold)
        if number < 2:
            told(settings, MOVE_HOLDS, -60 * (2 - number), hold.usage_id)
            told(settings, MOVE_BUDGETS, -60, "tokens_per_minute")

    settled = await asyncio.gather(*(ledger.settle(used(h, 9, tokens=7)) for h in holds))

    assert [True] * 3 == settled
    [(tokens, held)] = told(
        settings, "select used, held from budgets where meter = 'tokens_per_minute'"
    )
    assert (7, 0) == (tokens, held)


@pytest.mark.parametrize(("meter", "moved"), [(TOKENS, 3_600), (TOKENS, -60), (DAY, -DAY_SECONDS)])
async def test_a_window_that_is_over_or_was_never_there_is_left(
    ledger: Ledger, settings: Settings, ada: UUID, meter: Allowance, moved: int
) -> None:
    """Not there: that of a clock that was set back by an hour since."""
    await ledger.hold(taking(new_hold(ada), 90, meter))
    told(settings, MOVE_BUDGETS, moved, meter.meter.value)

    assert await ledger.hold(taking(new_hold(ada), 95, meter))


async def test_who_waited_beyond_a_days_end_stays_in_the_day_that_has_begun(
    ledger: Ledger, settings: Settings, ada: UUID
) -> None:
    """Its own day is the one before, by the moment at which it began to wait."""
    await ledger.hold(taking(new_hold(ada), 90, DAY))
    told(settings, MOVE_BUDGETS, DAY_SECONDS, "daily_cost")

    with pytest.raises(Exhausted):
        await ledger.hold(taking(new_hold(ada), 995, DAY))


async def test_whoever_comes_back_when_told_is_let_in(
    ledger: Ledger, settings: Settings, ada: UUID
) -> None:
    first, second = taking(new_hold(ada), 60, TOKENS), taking(new_hold(ada), 60, TOKENS)
    await ledger.hold(first)
    await ledger.settle(used(first, None, tokens=60))
    with pytest.raises(Exhausted) as refused:
        await ledger.hold(second)
    [balance] = refused.value.balances
    told(settings, MOVE_BUDGETS, -60, "tokens_per_minute")

    assert 0 < balance.seconds_left <= 60
    assert await ledger.hold(second)


# Everything at once: what the ledger, the roll-ups and the budgets say must agree.


@dataclass(frozen=True)
class Plan:
    """One call: what it holds, what it uses, and how it ends."""

    ledger: int
    user: int
    key: int
    amount: int
    used: int
    ending: str


PLANS = st.builds(
    Plan,
    ledger=st.integers(0, 2),
    user=st.integers(0, 1),
    key=st.integers(0, 1),
    amount=st.integers(0, 60),
    used=st.integers(0, 100),
    ending=st.sampled_from(["settled", "twice", "lost", "taken over", "more", "stopped"]),
)
LIMIT, KEY_LIMIT, TURNS_LIMIT = 700, 500, 12
AGREE = """
select b.scope, b.meter, b.used, b.held, coalesce(sum(case b.meter
           when 'concurrent_turns' then 0
           when 'tokens_per_minute' then u.input_tokens + u.output_tokens
           else u.cost_nano_usd end), 0)::bigint
  from budgets b
  left join (select u.*, h.* from provider_usage u cross join lateral
             unnest(u.hold_scopes, u.hold_meters, u.hold_windows) as h(scope, meter, since)
              where u.status = 'settled') u
    on u.scope = b.scope and u.meter = b.meter and u.since = b.window_start
 where b.scope = any(%s) group by 1, 2, 3, 4"""
DAYS = """select coalesce(sum(cost_nano_usd), 0)::bigint, coalesce(sum(requests), 0)::bigint
    from usage_days where owner_id = any(%s)"""
ROWS = """select coalesce(sum(cost_nano_usd), 0)::bigint, count(*) from provider_usage
    where owner_id = any(%s) and status = 'settled'"""


class Crowd:
    """Users, keys and processes of one example."""

    def __init__(self, database: Database, plans: Sequence[Plan]) -> None:
        self.ledgers = [PostgresLedger(database, uuid4(), 0.05) for _ in range(3)]
        self.users = [uuid7(), uuid7()]
        self.plans = plans
        self.settled: list[UUID] = []
        self.done = asyncio.Event()

    @property
    def scopes(self) -> list[str]:
        return [f"user:{user}" for user in self.users] + [
            f"key:{user}-{key}" for user in self.users for key in range(2)
        ]

    def hold(self, plan: Plan) -> Hold:
        user = self.users[plan.user]
        hold = new_hold(user)
        return replace(hold, key_id=f"{user}-{plan.key}", shares=self.shares(plan, plan.amount))

    def shares(self, plan: Plan, amount: int) -> list[Share]:
        user = self.users[plan.user]
        key = f"key:{user}-{plan.key}"
        # In an order of its own: the ledger has to sort.
        shares = [
            Share(Allowance(key, Meter.MONTHLY_COST, KEY_LIMIT), amount),
            Share(Allowance(f"user:{user}", Meter.DAILY_COST, LIMIT), amount),
            Share(Allowance(key, Meter.CONCURRENT_TURNS, TURNS_LIMIT), 1),
            Share(Allowance(f"user:{user}", Meter.TOKENS_PER_MINUTE, 10**6), amount),
        ]
        return shares[plan.amount % 4 :] + shares[: plan.amount % 4]

    async def live(self, plan: Plan) -> None:
        ledger, hold, most = self.ledgers[plan.ledger], self.hold(plan), plan.amount
        try:
            if not await ledger.hold(hold):
                return
            if plan.ending == "more":
                await ledger.extend(hold.usage_id, self.shares(plan, 2 * plan.amount))
                most = 2 * plan.amount
        except Exhausted:
            if plan.ending != "more":
                return
        if plan.ending == "lost":
            return
        settlement = settlement_of(hold, min(plan.used, most), stopped=plan.ending == "stopped")
        settling = [ledger.settle(settlement)]
        if plan.ending == "twice":
            settling.append(ledger.settle(settlement))
        if plan.ending == "taken over":
            settling.append(self.take_over(plan, hold, settlement))
        self.settled += [hold.usage_id] * sum(await asyncio.gather(*settling))

    async def take_over(self, plan: Plan, hold: Hold, settlement: Settlement) -> bool:
        other = self.ledgers[(plan.ledger + 1) % 3]
        return await other.hold(hold) and await other.settle(settlement)

    async def sweep(self) -> None:
        while not self.done.is_set():
            await self.ledgers[0].sweep()
            await asyncio.sleep(0.01)

    async def run(self) -> None:
        sweeping = asyncio.create_task(self.sweep())
        await asyncio.gather(*(self.live(plan) for plan in self.plans))
        self.done.set()
        await sweeping
        await asyncio.sleep(0.06)
        # Whoever still thinks that it holds a call leaves it to another process.
        while await PostgresLedger(self.ledgers[0].database, uuid4(), 0.05).sweep():
            pass


def settlement_of(hold: Hold, cost: int, *, stopped: bool) -> Settlement:
    """As an attempt that failed and one that did not made it, or one that was stopped."""
    one = Attempted("acme", "small", "overloaded", Usage(cost // 2, 0), Cost(cost // 2, "1"))
    last = Attempted("beta", "big", "stop", Usage(0, cost - cost // 2), Cost(cost - cost // 2, "1"))
    whole = Attempted("acme", "small", "stopped", Usage(cost, 0), Cost(cost, "1"))
    attempts = [whole] if stopped else [one, last]
    usage = Usage(cost, 0) if stopped else Usage(cost // 2, cost - cost // 2)
    return Settlement(hold.usage_id, attempts[-1].outcome, usage, Cost(cost, "1"), 0, attempts)


@given(plans=st.lists(PLANS, min_size=10, max_size=60))
@budget(
    max_examples=12,
    deadline=None,
    # Nothing is found again by trying it again: what happens at once happens as it likes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_budgets_ledger_and_roll_ups_agree_whatever_happens_at_once(
    database: Database, settings: Settings, plans: Sequence[Plan]
) -> None:
    crowd = Crowd(database, plans)

    async with asyncio.timeout(60):
        await crowd.run()

    assert len(crowd.settled) == len(set(crowd.settled))
    limits = {"daily_cost": LIMIT, "monthly_cost": KEY_LIMIT}
    for scope, meter, used_, held, summed in told(settings, AGREE, crowd.scopes):
        assert (summed, 0) == (used_, held), (scope, meter)
        assert used_ <= limits.get(meter, 10**6)
    [rows], [days] = told(settings, ROWS, crowd.users), told(settings, DAYS, crowd.users)
    assert rows == days
