"""A service with one provider, whose script a test writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import parley_provider_sdk as sdk
from parley_provider_service.api.servicer import ProviderServicer
from parley_provider_service.core.administration import Administration
from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.generation import Generation, Limits
from parley_provider_service.core.model import Ask, Cost, Event, Facts, Price
from parley_provider_service.core.roster import Entry, Roster
from parley_rpc.faults import Fault

from .books import MemoryLedger
from .fakes import (
    KnownPrices,
    MemoryCatalogStore,
    PlainVault,
    ScriptedProvider,
    installed,
)

PRICE = Price(1_000_000, 2_000_000, None, "list 1")


class Scene:
    """The core around a scripted provider `acme`, whose model `small` has a price."""

    def __init__(self, *script: Any, limits: Limits | None = None, **more: Any) -> None:
        self.provider = ScriptedProvider(script)
        self.ledger = MemoryLedger()
        self.roster = Roster([installed(provider=self.provider, **more)])
        prices = KnownPrices({"small": Facts(0, PRICE)})
        self.store = MemoryCatalogStore()
        self.vault = PlainVault()
        self.catalog = Catalog(self.roster, self.store, prices, self.vault)
        self.catalog.loaded = True
        self.generation = Generation(self.catalog, self.ledger, limits or Limits())

    @property
    def entry(self) -> Entry:
        """Acme, as the roster knows it."""
        return self.roster.entries["acme"]

    @property
    def servicer(self) -> ProviderServicer:
        """The calls around this core."""
        administration = Administration(self.catalog, self.store, self.vault)
        return ProviderServicer(self.catalog, self.generation, self.ledger, administration)

    async def hear(self, ask: Ask) -> tuple[Sequence[Event], Fault | None]:
        """Return all events of a reply and the fault it ended with."""
        events: list[Event] = []
        try:
            reply = await self.generation.begin(ask)
            async for event in self.generation.events(reply):
                events += [event]
        except Fault as fault:
            return events, fault
        return events, None

    def settled(self, ask: Ask) -> tuple[str, sdk.Usage | None, Cost | None] | None:
        """Return how the ledger says that a call ended."""
        settlement = self.ledger.books.rows[ask.usage_id].settlement
        if settlement is None:
            return None
        return settlement.outcome, settlement.usage, settlement.cost


def text_of(events: Sequence[Event]) -> str:
    """Return what a reply says."""
    return "".join(event.text for event in events if isinstance(event, sdk.TextDelta))
