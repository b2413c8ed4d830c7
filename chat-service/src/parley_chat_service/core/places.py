"""So many at once: who comes later waits only where a place is likely to be free in time."""

from __future__ import annotations

import asyncio
import statistics
from collections import deque

# How long one may wait, and how many of those who left tell how long one stays.
WITHIN_SECONDS = 1.0
REMEMBERED = 16


class Places:
    """Places for work that is done at once.

    As many wait as may expect a place within half the time that waiting may take, by how long the
    last ones stayed; everybody else is refused at once. So overload is told in no time, and a
    burst of short work is not refused. Before anybody has left, one waits.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._stays: deque[float] = deque(maxlen=REMEMBERED)

    async def enter(self) -> float | None:
        """Take a place, which `leave` gives back with what this returns; None when there is none."""
        loop = asyncio.get_running_loop()
        if self.taken < self.most:
            self.taken += 1
            return loop.time()
        if len(self._waiting) >= self._expected():
            return None
        waiter = loop.create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                await waiter
        except TimeoutError:
            return loop.time() if is_given(waiter) else None
        except asyncio.CancelledError:
            if is_given(waiter):
                self._free()
            raise
        return loop.time()

    def leave(self, entered: float) -> None:
        """Give a place back, to who has waited longest."""
        self._stays.append(asyncio.get_running_loop().time() - entered)
        self._free()

    def _free(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.taken -= 1

    def _expected(self) -> int:
        """Return how many places become free in half the time that one may wait."""
        if not self._stays:
            return 1
        stay = max(statistics.fmean(self._stays), 0.001)
        return int(self.most / stay * WITHIN_SECONDS / 2)


def is_given(waiter: asyncio.Future[None]) -> bool:
    """Say whether a place came in the very moment in which its waiter gave up."""
    return waiter.done() and not waiter.cancelled()
