"""The hour's window: who passes, what is left, and how few statements it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import pytest
from parley_gateway.core.limits import Limiter, check
from parley_gateway.core.model import Standing, Window
from parley_gateway.core.ports import LimitStore
from parley_rpc.faults import DatabaseUnavailable, Internal, LimitExceeded
from typing_extensions import override

from .fakes import MemoryLimitStore, Outage

pytestmark = pytest.mark.unit


async def test_what_is_left_is_told_request_by_request(limit_store: MemoryLimitStore) -> None:
    limiter = Limiter(limit_store, 3)

    standings = [await limiter.spend("ada") for _ in range(4)]

    assert [(True, 2), (True, 1), (True, 0), (False, 0)] == [
        (standing.granted, standing.remaining) for standing in standings
    ]
    assert all(3590 < standing.seconds_left <= 3600 for standing in standings)


async def test_a_crowd_is_counted_exactly_and_in_few_statements(
    limit_store: MemoryLimitStore,
) -> None:
    limiter = Limiter(limit_store, 50)

    standings = await asyncio.gather(*(limiter.spend("ada") for _ in range(120)))

    assert 50 == sum(standing.granted for standing in standings)
    assert list(range(49, -1, -1)) == [s.remaining for s in standings if s.granted]
    assert limit_store.statements <= 2


async def test_users_do_not_share_an_hour(limit_store: MemoryLimitStore) -> None:
    limiter = Limiter(limit_store, 1)

    standings = await asyncio.gather(limiter.spend("ada"), limiter.spend("bob"))

    assert [True, True] == [standing.granted for standing in standings]


async def test_the_hour_rolls_over(limit_store: MemoryLimitStore) -> None:
    limiter = Limiter(limit_store, 1)
    await limiter.spend("ada")
    start, used = limit_store.windows["ada"]
    limit_store.windows["ada"] = (start - timedelta(hours=1), used)

    assert (await limiter.spend("ada")).granted


async def test_who_has_left_holds_nobody_up(limit_store: MemoryLimitStore) -> None:
    limiter = Limiter(limit_store, 2)
    gone, here = (asyncio.create_task(limiter.spend("ada")) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()

    assert (await here).granted


async def test_without_a_database_everybody_hears_it_and_the_next_is_counted_again(
    limit_store: MemoryLimitStore, outage: Outage
) -> None:
    limiter = Limiter(limit_store, 2)
    outage.now = True
    told = await asyncio.gather(*(limiter.spend("ada") for _ in range(3)), return_exceptions=True)
    outage.now = False

    assert [DatabaseUnavailable] * 3 == [type(one) for one in told]
    assert (await limiter.spend("ada")).granted


class BrokenLimitStore(LimitStore):
    @override
    async def spend(self, requests: Mapping[str, int], limit: int) -> Mapping[str, Window]:
        return {}


async def test_nobody_waits_for_ever_for_a_store_that_forgets() -> None:
    limiter = Limiter(BrokenLimitStore(), 2)
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: failures.append(what))

    with pytest.raises(Internal):
        await limiter.spend("ada")


def test_who_is_refused_hears_when_to_come_back() -> None:
    with pytest.raises(LimitExceeded) as refused:
        check(Standing(granted=False, limit=5, remaining=0, seconds_left=12.5))

    assert 12.5 == refused.value.retry_after
    assert {"limit": "5", "window": "3600"} == refused.value.metadata
