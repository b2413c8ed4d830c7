"""What the providers offer: their models, asked for rarely and known at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import parley_provider_sdk as sdk
from parley_rpc.faults import Fault

from parley_provider_service.core.faults import (
    BadProviderResponse,
    ModelNotFound,
    ProviderNotReady,
    ProviderTimeout,
)
from parley_provider_service.core.guard import ask
from parley_provider_service.core.model import (
    FREE,
    Checkup,
    Facts,
    Model,
    ModelChoice,
    Price,
)
from parley_provider_service.core.naming import Names
from parley_provider_service.core.ports import CatalogStore, Prices, Vault
from parley_provider_service.core.roster import Entry, Roster, near
from parley_provider_service.core.rules import is_name

# What a vendor is given to answer about itself.
ASK_SECONDS = 10.0
# A list older than this is asked for again in the background, while it is used.
FRESH_SECONDS = 300.0
# An unknown model makes us ask the vendor, but not again and again.
ASK_AGAIN_SECONDS = 10.0
# What all vendors together are given for a name that nobody is known to have.
LOOK_SECONDS = 3.0
MOST_MODELS = 10_000


class Catalog:
    """Answers from memory where it can; what it asks vendors, it asks once for all who wait."""

    def __init__(
        self,
        roster: Roster,
        store: CatalogStore,
        prices: Prices,
        vault: Vault,
        *,
        ask_seconds: float = ASK_SECONDS,
    ) -> None:
        self.ask_seconds = ask_seconds
        self.roster = roster
        self.names = Names(roster)
        self.store = store
        self.prices = prices
        self.vault = vault
        # Whether it knows what was decided and listed before this process began.
        self.loaded = False
        # When administrators last changed models, by provider.
        self._models_changed_at: Mapping[str, datetime | None] = {}

    async def refresh(self) -> None:
        """Read what administrators decided; the first time, also what vendors once listed.

        Then the vendors are asked in the background for what they list now.
        """
        plugins = list(self.roster.plugins.values())
        configs = await self.store.configs(plugins)
        self.names.aliases = {alias.name: alias for alias in await self.store.aliases()}
        changed = self.roster.apply(configs, self.vault.unseal)
        moments = {name: config.models_changed_at for name, config in configs.items()}
        if not self.loaded or moments != self._models_changed_at:
            await self._load()
            self._models_changed_at = moments
        # So that lists and defaults are known before anybody asks for them.
        for entry in changed if self.loaded else self.roster:
            if entry.provider is not None:
                self._begin_asking(entry, entry.provider)
        self.loaded = True

    async def check(self, name: str, *, within: float = ASK_SECONDS) -> Checkup:
        """Ask a provider how it is, for `within` seconds at most; ProviderNotFound."""
        entry, now, began = self.roster.get(name), datetime.now(UTC), time.perf_counter()
        if entry.provider is None:
            return Checkup(name, entry.status, 0.0, now, entry.error)
        try:
            seconds = min(within, self.ask_seconds)
            health = await ask(name, entry.provider.health_check, seconds)
            if not isinstance(health, sdk.Health):
                raise nonsense(name)
        except Fault as fault:
            health = sdk.Health(healthy=False, detail=fault.sentence)
        entry.trouble = "" if health.healthy else health.detail or "Its vendor is not well."
        took = (time.perf_counter() - began) * 1000
        return Checkup(name, entry.status, took, now, entry.trouble or health.detail)

    async def models(
        self, name: str, *, gone: bool = False, within: float = ASK_SECONDS
    ) -> Sequence[Model]:
        """List a provider's models by name, as its vendor lists them now; its vendor's faults.

        Waits for the vendor `within` seconds at most.
        """
        entry, provider = self.roster.ready(name)
        await self._ask(entry, provider, within)
        return listed_now(entry.models.values(), gone=gone)

    async def find(
        self, provider_name: str, model_name: str, *, within: float = ASK_SECONDS
    ) -> Model:
        """Find the model that is meant, `within` seconds; empty names mean the defaults.

        A model without a provider is what `meant` says. ProviderNotFound, ProviderNotReady,
        ModelNotFound. A provider that cannot list its models is believed to have each that is
        named: its vendor will judge.
        """
        if model_name and not provider_name:
            meant = await self.meant("", model_name, within=within)
            provider_name, model_name = meant.provider, meant.model
        entry, provider = self._ready(provider_name or self.roster.default())
        known = entry.models.get(model_name or entry.default_model)
        if known is None or known.gone_at is not None:
            return await self._find_by_asking(entry, provider, model_name, within)
        if time.monotonic() - entry.asked_at > FRESH_SECONDS:
            self._begin_asking(entry, provider)
        return known

    async def meant(self, provider: str, model: str, *, within: float = ASK_SECONDS) -> ModelChoice:
        """Return which model is meant; a provider that is named means its own.

        Without one: ModelNotFound when nobody or more than one has it, ProviderNotReady. Vendors
        are asked, `within` seconds, for a name that nobody is known to have. A default that cannot
        list its models is believed to have it.
        """
        if provider:
            return ModelChoice(provider, model)
        known = self.names.meaning(model)
        if known is not None:
            return known
        await self._look(min(within, LOOK_SECONDS))
        known = self.names.meaning(model)
        if known is not None:
            return known
        default, _ = self._ready(self.roster.default())
        if default.trouble:
            return ModelChoice(default.name, model)
        raise self.names.unknown(model)

    async def target(self, provider_name: str, model: str) -> tuple[Entry, Model]:
        """Return who makes a reply and with which model; asks no vendor.

        ProviderNotFound, ProviderNotReady.
        """
        entry, _ = self.roster.ready(provider_name)
        return entry, entry.models.get(model) or await self._unlisted(entry, model)

    def note_missing(self, name: str) -> None:
        """Ask a vendor for its models that does not know one we know, so that it is marked."""
        entry = self.roster.entries.get(name)
        if entry is not None and entry.provider is not None:
            self._begin_asking(entry, entry.provider)

    async def aclose(self) -> None:
        """End what runs in the background, and let the providers go."""
        asking = [entry.asking for entry in self.roster if entry.asking]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        tenures = [entry.tenure for entry in self.roster if entry.tenure is not None]
        for tenure in tenures:
            tenure.retire()
        closing = [tenure.closing for tenure in tenures if tenure.closing is not None]
        await asyncio.gather(*closing, return_exceptions=True)

    async def _load(self) -> None:
        stored = await self.store.models()
        for entry in self.roster:
            known = by_name(model for model in stored if model.provider == entry.name)
            entry.models = known or entry.models

    def _ready(self, name: str) -> tuple[Entry, sdk.Provider]:
        """Return who is meant; ProviderNotFound, ProviderNotReady, also when it is nobody."""
        if not name:
            raise ProviderNotReady.none()
        return self.roster.ready(name)

    async def _look(self, seconds: float) -> None:
        """Ask all vendors that were not asked lately; who fails or is late offers what it did."""
        asking = [
            self._begin_asking(entry, entry.provider)
            for entry in self.roster
            if entry.provider is not None and may_be_asked(entry)
        ]
        if asking:
            await asyncio.wait(asking, timeout=seconds)

    async def _find_by_asking(
        self, entry: Entry, provider: sdk.Provider, name: str, within: float
    ) -> Model:
        failed = bool(entry.trouble)
        if may_be_asked(entry):
            try:
                await self._ask(entry, provider, within)
                failed = False
            except Fault:
                if not (name or entry.default_model):
                    raise
                failed = True
        name = name or entry.default_model
        known = entry.models.get(name)
        if known is not None and known.gone_at is None:
            return known
        if failed and name:
            return await self._unlisted(entry, name)
        offered = [model.name for model in entry.models.values() if model.gone_at is None]
        raise ModelNotFound.near(entry.name, name, near(name, offered))

    async def _unlisted(self, entry: Entry, name: str) -> Model:
        """Describe a model that is not in the catalogue, as far as anybody knows it."""
        return (await self._described(entry, [sdk.ModelInfo(name)]))[0]

    def _begin_asking(self, entry: Entry, provider: sdk.Provider) -> asyncio.Task[None]:
        if entry.asking is None or entry.asking.done():
            entry.asking = asyncio.create_task(self._list(entry, provider))
            # Whether or not anybody waits for it: asyncio wants a failure to be looked at.
            entry.asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        return entry.asking

    async def _ask(self, entry: Entry, provider: sdk.Provider, within: float) -> None:
        """Wait for the question that all share, which goes on for others when we wait no more."""
        try:
            async with asyncio.timeout(within):
                await asyncio.shield(self._begin_asking(entry, provider))
        except TimeoutError:
            sentence = f"The provider '{entry.name}' did not list its models in {within:.3g} s."
            raise ProviderTimeout(sentence, provider=entry.name) from None

    async def _list(self, entry: Entry, provider: sdk.Provider) -> None:
        entry.asked_at = time.monotonic()
        try:
            infos = checked(
                entry.name, await ask(entry.name, provider.list_models, self.ask_seconds)
            )
        except Fault as fault:
            if entry.installed.provider is provider:
                entry.trouble, entry.answered = fault.sentence, False
            raise
        if entry.installed.provider is not provider:
            return  # it was configured anew meanwhile
        entry.trouble, entry.answered = "", True
        listed = await self._described(entry, infos)
        entry.models = by_name(listed)
        entry.models = by_name(await self.store.save(entry.name, listed) or listed)

    async def _described(self, entry: Entry, infos: Sequence[sdk.ModelInfo]) -> list[Model]:
        installed = entry.installed
        facts: Mapping[str, Facts] = {}
        if not installed.free:
            names = [info.name for info in infos]
            kind = installed.kind or installed.name
            facts = await self.prices.facts(kind, installed.base_url, names)
        return [
            described(info, entry.name, facts.get(info.name), free=installed.free) for info in infos
        ]


def may_be_asked(entry: Entry) -> bool:
    """Whether a vendor is being asked for its models, or was not for a while."""
    under_way = entry.asking is not None and not entry.asking.done()
    return under_way or time.monotonic() - entry.asked_at > ASK_AGAIN_SECONDS


def described(info: sdk.ModelInfo, provider: str, facts: Facts | None, *, free: bool) -> Model:
    """Put together what the vendor says and what else is known; the vendor is believed first."""
    price = FREE if free else facts.price if facts else None
    if info.price is not None:
        said = info.price
        rates = (said.input_nano_usd_per_million, said.output_nano_usd_per_million)
        price = Price(
            *rates,
            cached_input=said.cached_input_nano_usd_per_million,
            version=said.version,
            cache_write=said.cache_write_nano_usd_per_million,
            long_cache_write=said.long_cache_write_nano_usd_per_million,
        )
    return Model(
        provider=provider,
        name=info.name,
        display_name=info.display_name or info.name,
        context_window=info.context_window or (facts.context_window if facts else 0),
        max_output_tokens=info.max_output_tokens,
        capabilities=frozenset(info.capabilities),
        price=price,
    )


def checked(provider: str, answer: object) -> Sequence[sdk.ModelInfo]:
    """Return the models that a plugin listed; BadProviderResponse when they are none."""
    if not isinstance(answer, Sequence) or len(answer) > MOST_MODELS:
        raise nonsense(provider)
    for info in answer:
        if not isinstance(info, sdk.ModelInfo) or not is_name(info.name):
            raise nonsense(provider)
    return list({info.name: info for info in answer}.values())


def nonsense(provider: str) -> Fault:
    """Return the fault of a plugin that answers something else than it was asked."""
    sentence = f"The plugin of '{provider}' gave an answer of the wrong kind."
    return BadProviderResponse(sentence, provider=provider)


def listed_now(models: Iterable[Model], *, gone: bool) -> Sequence[Model]:
    """Return models by name, with or without those that the vendor lists no more."""
    kept = (model for model in models if gone or model.gone_at is None)
    return sorted(kept, key=lambda model: model.name)


def by_name(models: Iterable[Model]) -> dict[str, Model]:
    """Index models by their names, in their order."""
    return {model.name: model for model in models}
