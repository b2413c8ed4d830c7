"""What a process does every two seconds: say that it lives, and what it has made so far."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from parley_rpc.faults import DatabaseUnavailable

from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.generation import Generation, taken_for_dead
from parley_provider_service.core.ports import Ledger

INTERVAL_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Housekeeping:
    """Keeps catalogue and ledger true, of this process and of those that died."""

    def __init__(self, catalog: Catalog, generation: Generation, ledger: Ledger) -> None:
        self.catalog = catalog
        self.generation = generation
        self.ledger = ledger

    async def run(self) -> None:
        """Keep house until cancelled; a database that is away is waited for."""
        while True:
            with contextlib.suppress(DatabaseUnavailable):
                await self.once()
            await asyncio.sleep(INTERVAL_SECONDS)

    async def once(self) -> None:
        """Do what is to be done once; DatabaseUnavailable."""
        await self.catalog.refresh()
        produced = {usage_id: reply.progress for usage_id, reply in self.generation.open.items()}
        held = await self.ledger.record(produced)
        for usage_id in produced.keys() - held:
            reply = self.generation.open.get(usage_id)
            if reply is not None:
                # Another process settled it or took it over: the rest would be unpaid for.
                reply.stop(taken_for_dead())
        swept = await self.ledger.sweep()
        if swept:
            logger.warning("settled calls of dead processes", extra={"fields": {"calls": swept}})
