"""What cut-off replies used: known to the ledger a little later, and copied from there."""

from __future__ import annotations

import asyncio
import contextlib
from uuid import UUID

from parley_rpc.faults import Fault

from parley_chat_service.core.ports import Usages, UsageStore

ASK_EVERY_SECONDS = 2.0
# Most are settled so soon after their end.
SOON_SECONDS = 0.3
MOST_AT_ONCE = 500
FIRST = UUID(int=0)


class Settling:
    """Asks the ledger for what replies used that ended without its word, until all is known.

    Any process does, for all of them: what is written twice is the same.
    """

    def __init__(self, store: UsageStore, usages: Usages) -> None:
        self.store = store
        self.usages = usages
        self._after = FIRST
        self._fresh = asyncio.Event()

    def note(self) -> None:
        """Take note that a reply has just ended without."""
        self._fresh.set()

    async def run(self) -> None:
        """Ask for ever; who is away is asked again later."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_EVERY_SECONDS):
                    await self._fresh.wait()
                await asyncio.sleep(SOON_SECONDS)
            self._fresh.clear()
            with contextlib.suppress(Fault):
                await self._ask()

    async def _ask(self) -> None:
        names = await self.store.unsettled(self._after, MOST_AT_ONCE)
        # Round and round: what stays open does not keep the others waiting.
        self._after = names[-1] if len(names) == MOST_AT_ONCE else FIRST
        if not names:
            return
        settled, open_still = await self.usages.settled(names)
        if settled:
            await self.store.settle(settled)
        unknown = [name for name in names if name not in settled and name not in open_still]
        if unknown:
            await self.store.give_up(unknown)
