"""A call is asked for again whose process was lost: one row, one charge, whoever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from parley_provider_service.adapters.database import JOBS, Database
from parley_provider_service.adapters.ledger import PostgresLedger
from parley_provider_service.adapters.ledger.statements import SETTLE, SWEEP
from parley_provider_service.core.model import Cost, Hold, Price
from parley_provider_service.core.ports import Ledger
from parley_provider_service.core.sums import UsageFilter
from parley_provider_service.settings import Settings
from parley_rpc.faults import DatabaseUnavailable
from psycopg.sql import Composed
from typing_extensions import override

from .conftest import NewLedger
from .test_ledger import made, new_hold, settlement_of

WAITING = """
select from pg_locks join pg_database d on d.oid = database
 where d.datname = current_database() and locktype = 'advisory' and not granted"""
OTHER_PRICE = Price(4_000_000, 8_000_000, None, "list 2")


async def is_charged(ledger: Ledger, hold: Hold) -> tuple[int, int]:
    """How often a call stands in the sums, and what they say that it cost."""
    [total] = await ledger.sums(UsageFilter(owner_id=hold.owner_id), [])
    return total.requests, total.cost_nano_usd


async def test_a_call_of_a_lost_process_is_taken_over_and_charged_once(
    new_ledger: NewLedger, ada: UUID
) -> None:
    lost, living, hold = new_ledger(), new_ledger(), new_hold(ada)
    await lost.hold(hold)
    await lost.record({hold.usage_id: made(hold, 0)})

    taken = await living.hold(replace(hold, provider="beta", key_id="other"))

    assert (True, False) == (taken, await lost.settle(settlement_of(hold)))
    assert frozenset() == await lost.record({hold.usage_id: made(hold, 99)})
    assert {hold.usage_id} == await living.record({hold.usage_id: made(hold, 4)})
    assert await living.settle(settlement_of(hold))
    assert (1, 220_000) == await is_charged(living, hold)


async def test_the_row_is_that_of_the_call_that_took_it_over(
    new_ledger: NewLedger, ada: UUID
) -> None:
    lost, living, hold = new_ledger(), new_ledger(0.2), new_hold(ada)
    await lost.hold(hold)
    [before] = await lost.find(ada, [hold.usage_id])
    wanted = replace(hold, key_id="other", provider="beta", model="big", input_chars=4)

    assert await living.hold(replace(wanted, price=OTHER_PRICE))
    [after] = await living.find(ada, [hold.usage_id])
    await asyncio.sleep(0.3)
    assert 1 == await new_ledger(0.2).sweep()

    assert ("other", "beta", "big") == (after.key_id, after.provider, after.model)
    assert after.started_at is not None
    assert before.started_at is not None
    assert after.started_at > before.started_at
    [row] = await living.find(ada, [hold.usage_id])
    assert Cost(0, "list 2") == row.cost


async def test_what_has_output_is_settled_or_is_anothers_is_not_taken_over(
    new_ledger: NewLedger, ada: UUID, bob: UUID
) -> None:
    lost, living = new_ledger(), new_ledger()
    spoken, settled, his = new_hold(ada), new_hold(ada), new_hold(bob)
    for hold in (spoken, settled, his):
        await lost.hold(hold)
    await lost.record({spoken.usage_id: made(spoken, 1)})
    await lost.settle(settlement_of(settled))

    taken = [await living.hold(hold) for hold in (spoken, settled, replace(his, owner_id=ada))]

    assert [False, False, False] == taken
    assert {spoken.usage_id, his.usage_id} == await lost.record(
        {hold.usage_id: made(hold, 8) for hold in (spoken, settled, his)}
    )


async def test_a_process_takes_no_call_over_from_itself(new_ledger: NewLedger, ada: UUID) -> None:
    ledger, hold = new_ledger(), new_hold(ada)
    await ledger.hold(hold)

    assert not await ledger.hold(hold)
    assert await ledger.settle(settlement_of(hold))
    assert not await ledger.hold(hold)


async def test_a_call_that_was_just_taken_over_is_not_swept(
    new_ledger: NewLedger, ada: UUID
) -> None:
    lost, new, sweeper, hold = new_ledger(1.5), new_ledger(1.5), new_ledger(1.5), new_hold(ada)
    await lost.hold(hold)
    await asyncio.sleep(1.6)

    # The new process has not had the time to say that it lives.
    assert await new.hold(hold)

    assert 0 == await sweeper.sweep()
    assert await new.settle(settlement_of(hold))
    assert (1, 220_000) == await is_charged(new, hold)


async def test_a_call_that_was_swept_is_not_taken_over(new_ledger: NewLedger, ada: UUID) -> None:
    lost, living, hold = new_ledger(0.1), new_ledger(0.1), new_hold(ada)
    await lost.hold(hold)
    await asyncio.sleep(0.2)
    assert 1 == await new_ledger(0.1).sweep()

    assert not await living.hold(hold)
    assert not await lost.settle(settlement_of(hold))
    assert (1, 0) == await is_charged(living, hold)


async def test_of_the_old_and_the_new_process_one_settles(new_ledger: NewLedger, ada: UUID) -> None:
    old, new, holds = new_ledger(), new_ledger(), [new_hold(ada) for _ in range(100)]
    await asyncio.gather(*(old.hold(hold) for hold in holds))

    async def settled(hold: Hold) -> bool:
        return await old.settle(settlement_of(hold))

    async def taken(hold: Hold) -> bool:
        return await new.hold(hold) and await new.settle(settlement_of(hold))

    answers = await asyncio.gather(*(one(hold) for hold in holds for one in (settled, taken)))

    assert [1] * 100 == [sum(answers[n : n + 2]) for n in range(0, 200, 2)]
    assert (100, 100 * 220_000) == await is_charged(new, holds[0])


async def test_of_all_who_are_at_it_at_once_one_settles(new_ledger: NewLedger, ada: UUID) -> None:
    """Replicas take calls over, the old process settles and records, sweepers sweep: at once."""
    lease = 0.1
    old, replicas = new_ledger(lease), [new_ledger(lease) for _ in range(3)]
    holds = [new_hold(ada) for _ in range(150)]
    await asyncio.gather(*(old.hold(hold) for hold in holds))
    settled: list[UUID] = []

    async def settle(ledger: Ledger, some: Sequence[Hold], *, anew: bool) -> None:
        for hold in some:
            may_settle = not anew or await ledger.hold(hold)
            if may_settle and await ledger.settle(settlement_of(hold)):
                settled.append(hold.usage_id)

    async def keep_house(ledger: Ledger) -> int:
        swept = 0
        while len(settled) + swept < len(holds):
            await old.record({hold.usage_id: made(hold, 0) for hold in holds})
            await asyncio.sleep(lease)
            swept += await ledger.sweep()
        return swept

    everybody = [settle(old, holds[::-3], anew=False)]
    everybody += [settle(one, holds[:: (-1) ** n], anew=True) for n, one in enumerate(replicas)]
    async with asyncio.timeout(30):
        sweeping = asyncio.create_task(keep_house(new_ledger(lease)))
        await asyncio.gather(*everybody)
        swept = await sweeping

    assert len(set(settled)) == len(settled)
    assert 150 == len(settled) + swept
    assert (150, 220_000 * len(settled)) == await is_charged(old, holds[0])


@pytest.mark.integration
async def test_a_sweeper_that_saw_a_dead_process_looks_again_when_it_locks_the_row(
    database: Database, settings: Settings, ada: UUID
) -> None:
    lost, living = (PostgresLedger(database, uuid4(), 0.1) for _ in range(2))
    hold = new_hold(ada)
    await lost.hold(hold)
    await asyncio.sleep(0.2)
    # It has seen all there is, and has not locked anything yet, for as long as we hold this.
    wait = "and (select true from pg_advisory_xact_lock(7)) order by u.usage_id limit 500"
    slow = SWEEP.replace("order by u.usage_id limit 500", wait)
    values = {"lease": 0.1, "chars": 4.0, "million": 1, "worker": uuid4(), "mine": []}
    with psycopg.connect(settings.conninfo, autocommit=True) as gate:
        gate.execute("select pg_advisory_lock(7)")
        sweeping = asyncio.create_task(database.jobs.fetch(slow, values))
        while not gate.execute(WAITING).fetchall():  # noqa: ASYNC110  (asked, not told)
            await asyncio.sleep(0.01)
        assert await living.hold(hold)
        gate.execute("select pg_advisory_unlock(7)")

    assert [] == await sweeping
    assert await living.settle(settlement_of(hold))


@pytest.mark.integration
async def test_a_hold_whose_answer_was_lost_is_taken_over_by_its_own_process(
    database: Database, ada: UUID
) -> None:
    worker, hold = uuid4(), new_hold(ada)
    await PostgresLedger(database, worker).hold(hold)
    forgetful = PostgresLedger(database, worker)

    assert await forgetful.hold(hold)
    assert not await forgetful.hold(hold)
    assert await forgetful.settle(settlement_of(hold))


@pytest.mark.integration
async def test_a_hold_whose_answer_was_lost_is_swept_while_its_process_lives(
    database: Database, ada: UUID
) -> None:
    worker, lost, known = uuid4(), new_hold(ada), new_hold(ada)
    await PostgresLedger(database, worker).hold(lost)
    forgetful = PostgresLedger(database, worker, 1.5)
    await forgetful.hold(known)
    await asyncio.sleep(1.6)
    await forgetful.record({known.usage_id: made(known, 1)})

    assert 1 == await forgetful.sweep()

    rows = await forgetful.find(ada, [lost.usage_id, known.usage_id])
    assert [True, False] == [row.settled for row in rows]


class LossyDatabase(Database):
    """Runs every statement, and loses the answer of the first settlement."""

    losses = 0

    @override
    async def fetch(
        self,
        statement: str | Composed,
        values: Mapping[str, Any] | None = None,
        owner_id: UUID | None = None,
    ) -> list[tuple[Any, ...]]:
        rows = await super().fetch(statement, values, owner_id)
        if statement == SETTLE and not self.losses:
            self.losses += 1
            raise DatabaseUnavailable
        return rows


@pytest.mark.integration
async def test_a_settlement_whose_answer_was_lost_was_one(settings: Settings, ada: UUID) -> None:
    hold, never_held = new_hold(ada), new_hold(ada)
    database = LossyDatabase(settings.conninfo, connections=2, role=JOBS)
    await database.open()
    ledger = PostgresLedger(database, uuid4())
    await ledger.hold(hold)

    settled = await asyncio.gather(
        ledger.settle(settlement_of(hold)), ledger.settle(settlement_of(never_held))
    )

    assert ((True, False), 1) == (tuple(settled), database.losses)
    assert (1, 220_000) == await is_charged(ledger, hold)
    await database.aclose()
