"""Which providers there are, how they stand, and which one is meant when none is named."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import parley_provider_sdk as sdk

from parley_provider_service.core.admission import Breaker, Bulkhead, RetryBudget
from parley_provider_service.core.faults import ProviderNotFound, ProviderNotReady
from parley_provider_service.core.model import (
    Config,
    Credential,
    CredentialSource,
    Installed,
    Listing,
    Model,
    ProviderStatus,
    Wish,
)
from parley_provider_service.core.tenure import Tenure

NEAR = 3
MOST_REPLIES = 128
UNDECIDED = Config()
LAST = 4
# Shorter keys would be half told by their last characters.
SHORT_KEY = 12

# Opens an encrypted key; None when no master key does.
Open = Callable[[str, bytes], str | None]


@dataclass
class Entry:
    """What is known of one provider."""

    installed: Installed
    config: Config = UNDECIDED
    # By name, in the vendor's order.
    models: Mapping[str, Model] = field(default_factory=dict)
    # What was wrong when its vendor was last asked.
    trouble: str = ""
    # Whether it did answer when it was last asked.
    answered: bool = False
    # When its vendor was last asked for its models, on the monotonic clock.
    asked_at: float = float("-inf")
    # The asking that is under way.
    asking: asyncio.Task[None] | None = None
    # How it was configured; None means as its plugin brings it.
    wish: Wish | None = None
    # Parameters that its models turned out not to take.
    unsupported: dict[str, frozenset[str]] = field(default_factory=dict)
    breaker: Breaker = field(default_factory=Breaker)
    budget: RetryBudget = field(default_factory=RetryBudget)
    bulkhead: Bulkhead = field(default_factory=lambda: Bulkhead(MOST_REPLIES))
    tenure: Tenure | None = None

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

        What an administrator chose; else what the plugin names, when its vendor lists it; else,
        where tokens cost money, the cheapest of the models with the largest context, because a
        vendor lists much that is old, dear, or does not chat at all; else the first that the
        vendor lists.
        """
        if self.config.default_model:
            return self.config.default_model
        if self.installed.default_model in self.models:
            return self.installed.default_model
        offered = [model for model in self.models.values() if may_chat(model)]
        priced = [(m, m.price) for m in offered if m.price and m.price.output]
        if priced:
            return min((-m.context_window, p.output, p.input, m.name) for m, p in priced)[-1]
        return next((model.name for model in offered), "")

    @property
    def is_set_up(self) -> bool:
        """Whether somebody has set it up, or its server was found."""
        return self.answered or not self.installed.detected

    def take(self, installed: Installed) -> None:
        """Be configured anew; the provider in office goes when its last reply is made."""
        self.installed = installed
        if self.tenure is not None:
            self.tenure.retire()
        provider = installed.provider
        self.tenure = None if provider is None else Tenure(self.name, provider)
        self.breaker, self.trouble, self.answered = Breaker(), "", False
        # What is being asked of the one before is none of this one's answers.
        self.asked_at, self.asking = float("-inf"), None
        self.unsupported.clear()


class Roster:
    """The providers of the plugins that were there when the process began, as configured now."""

    def __init__(
        self,
        installed: Iterable[Installed],
        default_provider: str = "",
        max_replies: int = MOST_REPLIES,
    ) -> None:
        # As their plugins bring them, by name.
        self.plugins = {one.name: one for one in installed}
        self.entries: dict[str, Entry] = {}
        # What the operator set; it is not replaced by another when it cannot be used.
        self.default_provider = default_provider
        self.max_replies = max_replies
        for one in self.plugins.values():
            self._add(one)

    def apply(self, configs: Mapping[str, Config], unseal: Open) -> Sequence[Entry]:
        """Obey what is decided; return the entries that were configured anew."""
        changed = []
        for name in self.entries.keys() - configs.keys():
            if name not in self.plugins:
                self.remove(name)
        for name, config in configs.items():
            if name not in self.plugins and config.kind is None:
                continue  # a row of a plugin that is not installed any more
            entry = self.entries.get(name) or self._add(self._exhibit(name, config))
            wish, known = wished(name, config, unseal), self._wished_before(entry)
            entry.config = config
            entry.bulkhead.resize(config.max_replies or self.max_replies)
            if wish != known:
                entry.wish = wish
                entry.take(self._configured(name, config, wish))
                changed.append(entry)
        return changed

    def remove(self, name: str) -> None:
        """Let a configuration go."""
        entry = self.entries.pop(name)
        if entry.tenure is not None:
            entry.tenure.retire()

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
        else the first in order that costs money, since somebody has set it up; else the first
        whose server was found; else one that stands in for a real one.
        """
        usable = [entry for entry in self if entry.provider is not None]
        chosen = [entry for entry in usable if entry.config.is_default]
        if not chosen and self.default_provider:
            return self.default_provider
        real = [entry for entry in usable if not entry.installed.stand_in and entry.is_set_up]
        paid = [entry for entry in real if not entry.installed.free]
        spare = [entry for entry in usable if entry.installed.stand_in]
        return next((entry.name for entry in [*chosen, *paid, *real, *spare, *usable]), "")

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

    def _add(self, installed: Installed) -> Entry:
        entry = Entry(installed)
        entry.bulkhead.resize(self.max_replies)
        if installed.provider is not None:
            entry.tenure = Tenure(installed.name, installed.provider)
        self.entries[installed.name] = entry
        return entry

    def _wished_before(self, entry: Entry) -> Wish | None:
        """Return how an entry is configured: at first as its plugin brings it, or not at all."""
        is_brought = entry.wish is None and entry.name in self.plugins
        return Wish(entry.name) if is_brought else entry.wish

    def _exhibit(self, name: str, config: Config) -> Installed:
        """Return a configuration that has not been made yet."""
        return Installed(name, config.display_name or name, "", "", kind=config.kind or name)

    def _configured(self, name: str, config: Config, wish: Wish) -> Installed:
        plugin = self.plugins.get(config.kind or name)
        if plugin is None:
            error = f"Its plugin '{config.kind}' is not installed. Install it, or remove this."
            return replace(self._exhibit(name, config), error=error, broken=True)
        if plugin.configure is None:
            return replace(plugin, name=name)
        return plugin.configure(wish)


def may_chat(model: Model) -> bool:
    """Whether a model may be guessed as a default: it is there, and not known to do other work."""
    return model.gone_at is None and (not model.capabilities or "text" in model.capabilities)


def wished(name: str, config: Config, unseal: Open) -> Wish:
    """Return how a provider is to be configured."""
    key = None if config.sealed is None else unseal(name, config.sealed)
    return Wish(
        name=name,
        display_name=config.display_name,
        base_url=config.base_url,
        api_key=key,
        unreadable=config.sealed is not None and key is None,
    )


def shown(source: CredentialSource, key: str) -> Credential:
    """Return what may be told of a key."""
    if not key:
        return Credential()
    return Credential(source, key[-LAST:] if len(key) >= SHORT_KEY else "")


def listing(entry: Entry, *, is_default: bool) -> Listing:
    """Write an entry for a list."""
    return Listing(
        installed=entry.installed,
        status=entry.status,
        enabled=entry.config.enabled,
        is_default=is_default,
        default_model=entry.default_model,
        models=[model.name for model in entry.models.values() if model.gone_at is None],
        error=entry.error,
        config=entry.config,
        circuit=entry.breaker.circuit.value,
        running=entry.bulkhead.running,
        max_replies=entry.bulkhead.limit,
    )


def near(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that are most like a name."""
    return difflib.get_close_matches(name, list(names), NEAR)
