"""So many at once: who comes later waits only where a place is likely to be free in time."""

from __future__ import annotations

import asyncio
from collections import deque

# How long one may wait, and over which time the places that became free are counted.
WITHIN_SECONDS = 1.0


class Places:
    """Places for work that is done at once.

    As many wait as may expect a place within half the time that waiting may take, by how many
    became free of late; everybody else is refused at once. So overload is told in no time, and a
    burst of short work is not refused.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._freed: deque[float] = deque(maxlen=most)

    async def enter(self) -> bool:
        """Take a place, which `leave` gives back; False when there is none."""
        if self.taken < self.most:
            self.taken += 1
            return True
        if len(self._waiting) >= self._expected():
            return False
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                await waiter
        except TimeoutError:
            return is_given(waiter)
        except asyncio.CancelledError:
            if is_given(waiter):
                self.leave()
            raise
        return True

    def leave(self) -> None:
        """Give a place back, to who has waited longest."""
        self._freed.append(asyncio.get_running_loop().time())
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.taken -= 1

    def _expected(self) -> int:
        """Return how many places may become free while somebody waits, half of those of late."""
        since = asyncio.get_running_loop().time() - WITHIN_SECONDS
        while self._freed and self._freed[0] < since:
            self._freed.popleft()
        return (len(self._freed) + 1) // 2


def is_given(waiter: asyncio.Future[None]) -> bool:
    """Say whether a place came in the very moment in which its waiter gave up."""
    return waiter.done() and not waiter.cancelled()
