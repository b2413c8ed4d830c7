"""So many at once: who comes later waits only where a place is likely to be free in time."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections import deque

# How long one may wait, and how many of those who left tell how long one stays.
WITHIN_SECONDS = 1.0
REMEMBERED = 16


class Places:
    """Places for work that is done at once.

    As many wait as may expect a place within half the time that waiting may take: from when those
    inside entered, and how long the last ones stayed. Everybody else is refused at once. So
    overload is told in no time, and a burst of short work is not refused. Before anybody has
    left, one waits.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        # When those inside entered, by their tickets, in that order.
        self._entered: dict[int, float] = {}
        self._tickets = itertools.count()
        self._waiting: deque[asyncio.Future[None]] = deque()
        # Places that were given to those who wait, and are not taken yet.
        self._promised = 0
        self._stays: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return len(self._entered) + self._promised

    async def enter(self) -> int | None:
        """Take a place; return the ticket that `leave` takes back, None when there is no place."""
        if self.taken < self.most:
            return self._take()
        if len(self._waiting) >= self._expected():
            return None
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                await waiter
        except TimeoutError:
            if not is_given(waiter):
                return None
        except asyncio.CancelledError:
            if is_given(waiter):
                self._promised -= 1
                self._pass_on()
            raise
        self._promised -= 1
        return self._take()

    def leave(self, ticket: int) -> None:
        """Give a place back, to who has waited longest."""
        self._stays.append(asyncio.get_running_loop().time() - self._entered.pop(ticket))
        self._pass_on()

    def _take(self) -> int:
        ticket = next(self._tickets)
        self._entered[ticket] = asyncio.get_running_loop().time()
        return ticket

    def _pass_on(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._promised += 1
                return

    def _expected(self) -> int:
        """Return how many leave in half the time that one may wait.

        Whoever is inside for more than twice as long as the last ones were says nothing.
        """
        if not self._stays:
            return 1
        stay = statistics.fmean(self._stays)
        now = asyncio.get_running_loop().time()
        since, until = now - 2 * stay, now - stay + WITHIN_SECONDS / 2
        return sum(since <= entered <= until for entered in self._entered.values())


def is_given(waiter: asyncio.Future[None]) -> bool:
    """Say whether a place came in the very moment in which its waiter gave up."""
    return waiter.done() and not waiter.cancelled()
