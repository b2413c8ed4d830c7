"""The hours of users and keys: exact over all gateways, with one statement in flight in each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from parley_rpc.faults import Fault, Internal, LimitExceeded

from parley_gateway.core.model import (
    HOUR_SECONDS,
    Grant,
    Identity,
    Payer,
    Standing,
    Subject,
    Verdict,
    Whose,
    Window,
)
from parley_gateway.core.ports import LimitStore

Waiter = asyncio.Future[Verdict]
Batch = dict[tuple[str, str], tuple[Payer, list[Waiter]]]


class Limiter:
    """Counts requests; those that arrive while a statement runs are counted by the next one.

    So no gateway holds tokens that another one lacks, and the cost of counting falls as load
    rises.
    """

    def __init__(self, store: LimitStore, limit: int) -> None:
        self.store = store
        # Of users who have none of their own.
        self.limit = limit
        self._waiting: Batch = {}
        self._counting: asyncio.Task[None] | None = None

    def payer(self, identity: Identity) -> Payer:
        """Return whose hours a request counts against."""
        own, keys = identity.user_quota.requests_per_hour, identity.key_quota.requests_per_hour
        user = Subject(f"user:{identity.user_id}", self.limit if own is None else own)
        return Payer(user, None if keys is None else Subject(f"key:{identity.key_id}", keys))

    async def spend(self, payer: Payer) -> Verdict:
        """Count one request; DatabaseUnavailable."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        names = (payer.user.name, payer.key.name if payer.key else "")
        self._waiting.setdefault(names, (payer, []))[1].append(waiter)
        if self._counting is None:
            self._begin()
        return await waiter

    def _begin(self) -> None:
        batch, self._waiting = self._waiting, {}
        self._counting = asyncio.create_task(self._count(batch))

    async def _count(self, batch: Batch) -> None:
        reason: Fault = Internal("The requests could not be counted.")
        try:
            requests = {payer: len(waiters) for payer, waiters in batch.values()}
            grants = await self.store.spend(requests)
            for payer, waiters in batch.values():
                tell(waiters, payer, grants)
        except Fault as fault:
            reason = fault
        finally:
            for _, waiters in batch.values():
                abandon(waiters, reason)
            self._counting = None
            if self._waiting:
                self._begin()


def tell(waiters: list[Waiter], payer: Payer, grants: Mapping[Payer, Grant]) -> None:
    """Grant the first ones, as many as were granted; whoever has left was counted too."""
    grant = grants[payer]
    for number, waiter in enumerate(waiters, start=1):
        spent = min(number, grant.granted)
        standings = [standing("user", payer.user, grant.user, spent)]
        if payer.key and grant.key:
            standings.append(standing("key", payer.key, grant.key, spent))
        if not waiter.done():
            waiter.set_result(Verdict(number <= grant.granted, tuple(standings)))


def standing(whose: Whose, subject: Subject, window: Window, spent: int) -> Standing:
    """Return what is left of an hour after so many requests."""
    remaining = max(0, subject.limit - window.used - spent)
    return Standing(whose, subject.limit, remaining, window.seconds_left)


def abandon(waiters: list[Waiter], reason: Fault) -> None:
    """Tell those who have heard nothing why."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_exception(reason)


def check(verdict: Verdict) -> None:
    """Refuse a request that was not granted; LimitExceeded.

    Of two hours that are used up the longer one counts: before, nothing would be granted.
    """
    if verdict.granted:
        return
    used_up = [one for one in verdict.standings if not one.remaining]
    worst = max(used_up or verdict.standings, key=lambda one: one.seconds_left)
    raise LimitExceeded(
        f"The {worst.whose}'s limit of {worst.limit} requests per hour is reached.",
        retry_after=worst.seconds_left,
        scope=worst.whose,
        meter="requests_per_hour",
        limit=worst.limit,
        left=0,
        window=HOUR_SECONDS,
    )
