"""Which providers there are, how they stand, and which one is meant when none is named."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import parley_provider_sdk as sdk

from parley_provider_service.core.faults import ProviderNotFound, ProviderNotReady
from parley_provider_service.core.model import Config, Installed, Listing, Model, ProviderStatus

NEAR = 3
UNDECIDED = Config()


@dataclass
class Entry:
    """What is known of one provider."""

    installed: Installed
    config: Config = UNDECIDED
    # By name, in the vendor's order.
    models: Mapping[str, Model] = field(default_factory=dict)
    # What was wrong when its vendor was last asked.
    trouble: str = ""
    # When its vendor was last asked for its models, on the monotonic clock.
    asked_at: float = float("-inf")
    # The asking that is under way.
    asking: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.installed.name

    @property
    def provider(self) -> sdk.Provider | None:
        """The provider itself, when it may be used."""
        return self.installed.provider if self.config.enabled else None

    @property
    def status(self) -> ProviderStatus:
        """How it stands."""
        if self.installed.broken:
            return ProviderStatus.BROKEN
        if not self.config.enabled:
            return ProviderStatus.DISABLED
        if self.installed.provider is None:
            return ProviderStatus.UNCONFIGURED
        return ProviderStatus.UNHEALTHY if self.trouble else ProviderStatus.READY

    @property
    def error(self) -> str:
        """What is wrong with it, and what to do."""
        if self.status is ProviderStatus.DISABLED:
            return "An administrator has switched it off."
        return self.installed.error or self.trouble

    @property
    def default_model(self) -> str:
        """The model that is meant when none is named; empty when there is none.

        What an administrator chose; else, where tokens cost money, the cheapest of the models
        with the largest context, because a vendor lists much that is old, dear, or does not
        chat at all; else the first that the vendor lists.
        """
        if self.config.default_model:
            return self.config.default_model
        priced = [(m, m.price) for m in self.models.values() if m.price and m.price.output]
        if priced:
            return min((-m.context_window, p.output, p.input, m.name) for m, p in priced)[-1]
        return next(iter(self.models), "")


class Roster:
    """The providers that were installed when the process began."""

    def __init__(self, installed: Iterable[Installed], default_provider: str = "") -> None:
        self.entries = {one.name: Entry(one) for one in installed}
        # What the operator set; it is not replaced by another when it cannot be used.
        self.default_provider = default_provider

    def get(self, name: str) -> Entry:
        """Return an entry; ProviderNotFound names near ones."""
        entry = self.entries.get(name)
        if entry is None:
            raise ProviderNotFound(name, near(name, self.entries))
        return entry

    def ready(self, name: str) -> tuple[Entry, sdk.Provider]:
        """Return an entry whose provider may be used; ProviderNotFound, ProviderNotReady."""
        entry = self.get(name)
        if entry.provider is None:
            raise ProviderNotReady.of(name, entry.status, entry.error)
        return entry, entry.provider

    def default(self) -> str:
        """Return the provider that is meant when none is named; empty when none is ready.

        An administrator's choice comes first, then the operator's, even when it cannot be used;
        else the first in order that costs money, since somebody has set it up; else the first.
        """
        usable = [entry for entry in self if entry.provider is not None]
        chosen = [entry for entry in usable if entry.config.is_default]
        if not chosen and self.default_provider:
            return self.default_provider
        paid = [entry for entry in usable if not entry.installed.free]
        return next((entry.name for entry in [*chosen, *paid, *usable]), "")

    def listings(self) -> Sequence[Listing]:
        """List all providers, and a default that is set but not installed."""
        default = self.default()
        listings = [listing(entry, is_default=entry.name == default) for entry in self]
        if default and default not in self.entries:
            fault = ProviderNotFound(default, near(default, self.entries))
            error = f"DEFAULT_PROVIDER names it. {fault.sentence}"
            missing = Installed(default, default, "", "", error=error, broken=True)
            listings.append(listing(Entry(missing), is_default=True))
        return listings

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries in order of preference."""
        return iter(
            sorted(self.entries.values(), key=lambda entry: (entry.config.priority, entry.name))
        )


def listing(entry: Entry, *, is_default: bool) -> Listing:
    """Write an entry for a list."""
    return Listing(
        installed=entry.installed,
        status=entry.status,
        enabled=entry.config.enabled,
        is_default=is_default,
        default_model=entry.default_model,
        models=list(entry.models),
        error=entry.error,
    )


def near(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that are most like a name."""
    return difflib.get_close_matches(name, list(names), NEAR)
