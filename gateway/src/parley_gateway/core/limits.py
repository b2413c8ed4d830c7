"""The hour's window: exact over all gateways, with one statement in flight in each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from parley_rpc.faults import Fault, Internal, LimitExceeded

from parley_gateway.core.model import HOUR_SECONDS, Standing, Window
from parley_gateway.core.ports import LimitStore

Waiter = asyncio.Future[Standing]


class Limiter:
    """Counts requests; those that arrive while a statement runs are counted by the next one.

    So no gateway holds tokens that another one lacks, and the cost of counting falls as load
    rises.
    """

    def __init__(self, store: LimitStore, limit: int) -> None:
        self.store = store
        self.limit = limit
        self._waiting: dict[str, list[Waiter]] = {}
        self._counting: asyncio.Task[None] | None = None

    async def spend(self, subject: str) -> Standing:
        """Count one request; DatabaseUnavailable."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(subject, []).append(waiter)
        if self._counting is None:
            self._begin()
        return await waiter

    def _begin(self) -> None:
        batch, self._waiting = self._waiting, {}
        self._counting = asyncio.create_task(self._count(batch))

    async def _count(self, batch: Mapping[str, list[Waiter]]) -> None:
        reason: Fault = Internal("The requests could not be counted.")
        try:
            requests = {subject: len(waiters) for subject, waiters in batch.items()}
            windows = await self.store.spend(requests, self.limit)
            for subject, waiters in batch.items():
                self._tell(waiters, windows[subject])
        except Fault as fault:
            reason = fault
        finally:
            for waiters in batch.values():
                abandon(waiters, reason)
            self._counting = None
            if self._waiting:
                self._begin()

    def _tell(self, waiters: list[Waiter], window: Window) -> None:
        """Grant the first ones, as many as were granted; whoever has left was counted too."""
        used_before = window.used - window.granted
        for number, waiter in enumerate(waiters, start=1):
            granted = number <= window.granted
            used = used_before + min(number, window.granted)
            remaining = max(0, self.limit - used)
            if not waiter.done():
                waiter.set_result(Standing(granted, self.limit, remaining, window.seconds_left))


def abandon(waiters: list[Waiter], reason: Fault) -> None:
    """Tell those who have heard nothing why."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_exception(reason)


def check(standing: Standing) -> None:
    """Refuse a request that was not granted; LimitExceeded."""
    if not standing.granted:
        raise LimitExceeded(
            f"The limit of {standing.limit} requests per hour is reached.",
            retry_after=standing.seconds_left,
            limit=standing.limit,
            window=HOUR_SECONDS,
        )
