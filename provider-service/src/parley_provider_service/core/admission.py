"""Who is let through to a vendor: not too many, not while it is down, not again and again."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum

# In a row, before a vendor is left alone, and for how long.
FAILURES_TO_OPEN = 5
OPEN_SECONDS = 10.0
# Calls beyond one per request, and how many may be saved up: together at most one in any twelve
# requests, so no more than a tenth of any fifty or more, even right after a long quiet time.
EXTRA_CALLS = 0.09
MOST_SAVED = 1.0


class Bulkhead:
    """So many replies of one provider at once; one more waits for its turn, in order.

    The limit may change while replies run: a lower one lets those finish that have begun.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self, seconds: float) -> bool:
        """Take a place; False when none is free within so many seconds."""
        if self.running < self.limit and not self._waiting:
            self.running += 1
            return True
        if seconds <= 0:
            return False
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(place)
        except TimeoutError:
            return self._give_up(place)
        except asyncio.CancelledError:
            if self._give_up(place):
                self.leave()
            raise
        return True

    def leave(self) -> None:
        """Give a place back, to the one who has waited longest."""
        self.running -= 1
        self._let_in()

    def resize(self, limit: int) -> None:
        """Let more in, or fewer from now on."""
        self.limit = limit
        self._let_in()

    def _let_in(self) -> None:
        while self.running < self.limit and self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                self.running += 1
                place.set_result(None)

    def _give_up(self, place: asyncio.Future[None]) -> bool:
        """Stop waiting; True when the place came in the same moment."""
        if place.done():
            return True
        place.cancel()
        self._waiting.remove(place)
        return False


class Circuit(StrEnum):
    """How a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Leaves a vendor alone that failed five times in a row; after ten seconds one call tries it.

    Only failures that say that the vendor is not well count: a refused key or a bad request is an
    answer like any other.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def circuit(self) -> Circuit:
        """How it stands now."""
        if self._opened_at is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self.wait > 0 else Circuit.HALF_OPEN

    @property
    def wait(self) -> float:
        """The seconds until a call may try again; 0 when one may now."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + OPEN_SECONDS - self._clock())

    def admit(self) -> bool:
        """Let a call through, or not. One that is must end in one of the three below."""
        if self._opened_at is None:
            return True
        if self._probing or self.wait > 0:
            return False
        self._probing = True
        return True

    def succeed(self) -> None:
        """Take note that the vendor answered."""
        self._failures, self._opened_at, self._probing = 0, None, False

    def fail(self) -> None:
        """Take note that the vendor failed."""
        self._failures += 1
        if self._probing or (self._opened_at is None and self._failures >= FAILURES_TO_OPEN):
            self._opened_at = self._clock()
        self._probing = False

    def abstain(self) -> None:
        """Take note that a call ended without saying anything about the vendor."""
        self._probing = False


class RetryBudget:
    """Calls beyond one per request: not quite ten in a hundred, so that nobody buries a vendor.

    The first one is there from the beginning.
    """

    def __init__(self) -> None:
        self._saved = MOST_SAVED

    def note_request(self) -> None:
        """Take note of a request, which adds its part of another call."""
        self._saved = min(self._saved + EXTRA_CALLS, MOST_SAVED)

    def spend(self) -> bool:
        """Take one call out of the budget; False when it is used up."""
        # Fractions are not exact in binary: what should be one may be a little less.
        if self._saved < 1 - 1e-9:
            return False
        self._saved -= 1
        return True
