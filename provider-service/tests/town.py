"""A service with several providers, each with a script of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.generation import Generation, Limits
from parley_provider_service.core.model import Ask, Config, Event, Facts, Price, Settlement
from parley_provider_service.core.roster import Entry, Roster
from parley_rpc.faults import Fault
from typing_extensions import override

from .books import MemoryLedger
from .fakes import (
    KnownPrices,
    MemoryCatalogStore,
    PlainVault,
    ScriptedProvider,
    installed,
)

PRICE = Price(1_000_000, 2_000_000, None, "list 1")


class Town:
    """Several providers, by name; each plays one script after the other, the last for ever."""

    def __init__(self, *, limits: Limits | None = None, **scripts: Sequence[Sequence[Any]]) -> None:
        self.providers: Mapping[str, SeveralScripts] = {
            name: SeveralScripts(plays) for name, plays in scripts.items()
        }
        self.store = MemoryCatalogStore()
        self.ledger = MemoryLedger()
        self.roster = Roster(installed(name, one) for name, one in self.providers.items())
        prices = KnownPrices({"small": Facts(0, PRICE)})
        self.catalog = Catalog(self.roster, self.store, prices, PlainVault())
        self.catalog.loaded = True
        self.generation = Generation(self.catalog, self.ledger, limits or Limits())

    def decide(self, name: str, **decided: Any) -> None:
        """Let an administrator have decided something."""
        self.entry(name).config = Config(**decided)

    def entry(self, name: str) -> Entry:
        return self.roster.entries[name]

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

    def calls(self) -> Mapping[str, int]:
        """How often each was asked."""
        return {name: len(one.asked) for name, one in self.providers.items()}

    def settlement(self, ask: Ask) -> Settlement:
        settlement = self.ledger.books.rows[ask.usage_id].settlement
        assert settlement is not None
        return settlement

    def attempts(self, ask: Ask) -> Sequence[tuple[str, str]]:
        """Who was asked, and how that ended."""
        return [(one.provider, one.outcome) for one in self.settlement(ask).attempts]


class SeveralScripts(ScriptedProvider):
    """Plays the next script each time it is asked."""

    def __init__(self, scripts: Sequence[Sequence[Any]]) -> None:
        super().__init__()
        self.scripts = list(scripts)

    @override
    def chat_completion(self, request: Any) -> Any:
        self.script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        return super().chat_completion(request)
