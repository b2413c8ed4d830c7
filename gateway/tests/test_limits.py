"""The hour's window: who passes, what is left, and how few statements it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from parley_gateway.core.limits import Limiter, check
from parley_gateway.core.model import (
    Grant,
    Identity,
    Payer,
    Quota,
    Role,
    Standing,
    Subject,
    Verdict,
)
from parley_gateway.core.ports import LimitStore
from parley_rpc.faults import DatabaseUnavailable, Internal, LimitExceeded
from typing_extensions import override

from .fakes import MemoryLimitStore, Outage

pytestmark = pytest.mark.unit


def payer(name: str = "ada", limit: int = 3, key: Subject | None = None) -> Payer:
    return Payer(Subject(name, limit), key)


async def test_what_is_left_is_told_request_by_request(limit_store: MemoryLimitStore) -> None:
    limiter = Limiter(limit_store, 3)

    verdicts = [await limiter.spend(payer()) for _ in range(4)]

    assert [(True, 2), (True, 1), (True, 0), (False, 0)] == [
        (verdict.granted, verdict.tightest.remaining) for verdict in verdicts
    ]
    assert all(3590 < verdict.tightest.seconds_left <= 3600 for verdict in verdicts)


async def test_a_crowd_is_counted_exactly_and_in_few_statements(
    limit_store: MemoryLimitStore,
) -> None:
    limiter = Limiter(limit_store, 50)

    verdicts = await asyncio.gather(*(limiter.spend(payer(limit=50)) for _ in range(120)))

    assert 50 == sum(verdict.granted for verdict in verdicts)
    assert list(range(49, -1, -1)) == [v.tightest.remaining for v in verdicts if v.granted]
    assert limit_store.statements <= 2


async def test_users_do_not_share_an_hour(limit_store: MemoryLimitStore) -> None:
    limiter = Limiter(limit_store, 1)

    verdicts = await asyncio.gather(limiter.spend(payer("ada", 1)), limiter.spend(payer("bob", 1)))

    assert [True, True] == [verdict.granted for verdict in verdicts]


async def test_the_hour_rolls_over(limit_store: MemoryLimitStore) -> None:
    limiter = Limiter(limit_store, 1)
    await limiter.spend(payer(limit=2))
    start, used = limit_store.windows["ada"]
    limit_store.windows["ada"] = (start - timedelta(hours=1), used)

    assert (await limiter.spend(payer(limit=2))).granted


async def test_who_has_left_holds_nobody_up(limit_store: MemoryLimitStore) -> None:
    limiter = Limiter(limit_store, 2)
    gone, here = (asyncio.create_task(limiter.spend(payer(limit=2))) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()

    assert (await here).granted


async def test_without_a_database_everybody_hears_it_and_the_next_is_counted_again(
    limit_store: MemoryLimitStore, outage: Outage
) -> None:
    limiter = Limiter(limit_store, 2)
    outage.now = True
    told = await asyncio.gather(
        *(limiter.spend(payer(limit=2)) for _ in range(3)), return_exceptions=True
    )
    outage.now = False

    assert [DatabaseUnavailable] * 3 == [type(one) for one in told]
    assert (await limiter.spend(payer(limit=2))).granted


class BrokenLimitStore(LimitStore):
    @override
    async def spend(self, requests: Mapping[Payer, int]) -> Mapping[Payer, Grant]:
        return {}


async def test_nobody_waits_for_ever_for_a_store_that_forgets() -> None:
    limiter = Limiter(BrokenLimitStore(), 2)
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: failures.append(what))

    with pytest.raises(Internal):
        await limiter.spend(payer(limit=2))


def test_who_is_refused_hears_when_to_come_back() -> None:
    user = Standing("user", limit=5, remaining=0, seconds_left=12.5)
    key = Standing("key", limit=2, remaining=0, seconds_left=40.0)
    fresh = Standing("key", limit=2, remaining=1, seconds_left=90.0)

    assert (12.5, "user") == told(user)
    # When the one is over the other would still refuse.
    assert (40.0, "key") == told(user, key)
    assert (12.5, "user") == told(user, fresh)


def told(*standings: Standing) -> tuple[float | None, str]:
    with pytest.raises(LimitExceeded) as refused:
        check(Verdict(granted=False, standings=standings))
    assert refused.value.metadata["meter"] == "requests_per_hour"
    return refused.value.retry_after, refused.value.metadata["scope"]


def test_an_own_limit_comes_before_that_of_all(limit_store: MemoryLimitStore) -> None:
    limiter = Limiter(limit_store, 1000)
    anybody = Identity(SOMEBODY, "ada", Role.USER, "key1", "laptop")
    limited = replace(anybody, user_quota=Quota(7), key_quota=Quota(3))
    shut_out = replace(anybody, user_quota=Quota(0))

    assert Payer(Subject(f"user:{SOMEBODY}", 1000)) == limiter.payer(anybody)
    assert (7, Subject("key:key1", 3)) == (
        limiter.payer(limited).user.limit,
        limiter.payer(limited).key,
    )
    assert 0 == limiter.payer(shut_out).user.limit


async def test_keys_share_their_users_hour_and_have_their_own(
    limit_store: MemoryLimitStore,
) -> None:
    limiter = Limiter(limit_store, 0)
    one, two = (payer("ada", 5, Subject(name, 4)) for name in ("key:one", "key:two"))

    verdicts = await asyncio.gather(*(limiter.spend(one) for _ in range(6)))
    verdicts += await asyncio.gather(*(limiter.spend(two) for _ in range(3)))

    assert [True] * 4 + [False] * 2 + [True] + [False] * 2 == [v.granted for v in verdicts]
    assert {"ada": 5, "key:one": 4, "key:two": 1} == {
        name: used for name, (_, used) in limit_store.windows.items()
    }


SOMEBODY = UUID("0198a000-0000-7000-8000-00000000000a")
