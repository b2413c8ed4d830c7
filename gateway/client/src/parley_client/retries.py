"""When a failure passes by itself, and how long to wait for that."""

import random
import time
from collections.abc import Callable
from typing import Any

from parley_client.call import Call
from parley_client.errors import GatewayUnreachable, ParleyError, ProblemError, UnexpectedAnswer
from parley_client.wire import Timeouts

FIRST_WAIT = 0.25  # seconds, doubled from one try to the next …
LONGEST_WAIT = 5.0  # … up to here
MOST_REPEATS = 5
# The platform's own "not now". A vendor's is no reason: its turn has begun, and failed.
NOT_NOW = frozenset({"unavailable", "database_unavailable", "too_busy"})
BETWEEN = frozenset({502, 503, 504})  # what a proxy answers when there is no gateway behind it


def not_taken(error: ParleyError) -> bool:
    """Tells whether a send that failed so may be taken when it is repeated."""
    if isinstance(error, ProblemError):
        return error.status == 503 and error.retryable and error.reason in NOT_NOW
    if isinstance(error, GatewayUnreachable):
        return error.retryable and not error.waited
    return isinstance(error, UnexpectedAnswer) and error.status in BETWEEN


def not_arrived(error: ParleyError) -> bool:
    """Tells whether nobody can have heard of what failed so."""
    return isinstance(error, GatewayUnreachable) and error.retryable and not error.arrived


def lost(error: ParleyError) -> bool:
    """Tells whether a stream that failed so, or was refused so, can be had a little later."""
    if isinstance(error, ProblemError):
        return error.retryable
    if isinstance(error, UnexpectedAnswer):
        return error.status in BETWEEN
    return isinstance(error, GatewayUnreachable) and error.retryable


class Retries:
    """Sees one thing through: says how long to wait after each failure, or that it is no use."""

    def __init__(
        self,
        passes: Callable[[ParleyError], bool],
        seconds: float,
        most: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds` count from the first failure in a row, `most` is how many may be in a row."""
        self._passes = passes
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._failures = 0
        self._since = 0.0

    def wait_after(self, error: ParleyError) -> float:
        """Returns the seconds to wait; raises `error` when trying again is no use.

        A time that the gateway names is waited for whole, or not at all.
        """
        if not self._passes(error) or self._failures >= self._most:
            raise error
        now = self._clock()
        if self._failures == 0:
            self._since = now
        wait = min(FIRST_WAIT * (1 << min(self._failures, 10)), LONGEST_WAIT)
        wait *= random.uniform(0.5, 1.0)  # noqa: S311 - spreads callers, hides nothing
        if isinstance(error, ProblemError) and error.retry_after is not None:
            wait = max(wait, error.retry_after)
        if now + wait > self._since + self._seconds:
            raise error
        self._failures += 1
        return wait

    def progressed(self) -> None:
        """Forgets the failures so far."""
        self._failures = 0


def sending(call: Call[Any], timeouts: Timeouts) -> Retries:
    """Returns how to see a call through that is answered whole."""
    if call.at_once:
        return Retries(not_taken, 0)
    passes = not_taken if call.may_repeat else not_arrived
    return Retries(passes, timeouts.repeat if call.patient else timeouts.reread, MOST_REPEATS)
