"""In whose name calls are made: what the gateway signs for a key, renewed in time."""

import asyncio
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from parley_client.accounts import Context

# A call takes its way, and clocks differ a little: what ends so soon is not begun with.
SPARE = 0.5  # seconds

Ask = Callable[[], Awaitable[Context]]


@dataclass(frozen=True, slots=True)
class Known:
    """A signed context, and until when something may be begun with it by our monotonic clock."""

    signed: bytes
    until: float


class Contexts:
    """Shows a context that is fresh; asks for one at a time, for all calls that wait for it."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.time) -> None:
        self._ask = ask
        self._clock = clock
        self._known: Known | None = None
        self._asking = asyncio.Lock()

    async def current(self, refused: Known | None = None) -> Known:
        """Returns one to begin a call with, another than the one that was `refused`."""
        async with self._asking:
            known = self._known
            if known is None or known is refused or time.monotonic() >= known.until:
                known = self._known = await self._renewed()
            return known

    async def _renewed(self) -> Known:
        asked_at = time.monotonic()
        context = await self._ask()
        # By our clock, which may be wrong: a context that is refused is asked for anew.
        left = context.fresh_until.timestamp() - self._clock() - SPARE
        return Known(b64decode(context.context), asked_at + left)
