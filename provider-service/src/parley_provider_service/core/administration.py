"""What administrators may do to providers: effective here at once, elsewhere within seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from parley_rpc.faults import InvalidArgument

from parley_provider_service.core.addresses import check_address
from parley_provider_service.core.catalog import ASK_SECONDS, Catalog
from parley_provider_service.core.faults import (
    MasterKeyMissing,
    ModelNotFound,
    PluginNotFound,
    ProviderBuiltIn,
    ProviderExists,
    ProviderNotFound,
)
from parley_provider_service.core.model import Config, Listing, Model, ModelChange, ModelChoice
from parley_provider_service.core.ports import CatalogStore, Vault
from parley_provider_service.core.roster import Roster, listing, near
from parley_provider_service.core.rules import MOST_FALLBACKS, is_name

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
LONGEST_NAME = 100
LONGEST_KEY = 4_096
# What is a number: its least, its most, and the value that means nobody has decided.
RANGES = {"priority": (0, 1_000, None), "max_replies": (0, 10_000, 0)}


@dataclass(frozen=True, slots=True)
class NewProvider:
    """Another configuration of an installed plugin; empty texts mean the plugin's own."""

    name: str
    kind: str
    display_name: str = ""
    base_url: str = ""


class Administration:
    """Changes configurations, keys and what is known of models, each in somebody's name."""

    def __init__(
        self, catalog: Catalog, store: CatalogStore, vault: Vault, *, private: bool = True
    ) -> None:
        """`private` allows addresses of this machine and of private networks."""
        self.catalog = catalog
        self.store = store
        self.vault = vault
        self.private = private

    @property
    def roster(self) -> Roster:
        """The providers as this process knows them."""
        return self.catalog.roster

    async def create(self, new: NewProvider, by: UUID) -> Listing:
        """Add a configuration; ProviderExists, PluginNotFound, InvalidArgument."""
        if not NAME.fullmatch(new.name):
            raise InvalidArgument.of("name", "must match [a-z0-9][a-z0-9-]{0,49}")
        plugin = self.roster.plugins.get(new.kind)
        if plugin is None or plugin.broken:
            installed = [name for name, one in self.roster.plugins.items() if not one.broken]
            raise PluginNotFound(new.kind, near(new.kind, installed))
        config = Config(
            kind=new.kind,
            display_name=checked_name(new.display_name),
            base_url=self._checked_address(new.base_url),
        )
        if new.name in self.roster.plugins or not await self.store.add(new.name, config, by=by):
            raise ProviderExists(new.name)
        return await self._now(new.name)

    async def update(self, name: str, changes: Mapping[str, Any], by: UUID) -> Listing:
        """Change what is decided; ProviderNotFound, InvalidArgument.

        `changes` holds fields of Config. A changed address clears the stored key, so that no
        vendor is told another one's.
        """
        config = await self._config(name)
        checked = {field: self._checked(field, value) for field, value in changes.items()}
        if "base_url" in checked and checked["base_url"] != config.base_url:
            checked["sealed"] = None
        await self._change(name, checked, by)
        return await self._now(name)

    async def delete(self, name: str) -> None:
        """Take a configuration away; ProviderNotFound, ProviderBuiltIn."""
        await self._config(name)
        if name in self.roster.plugins:
            raise ProviderBuiltIn(name)
        await self.store.remove(name)
        await self.catalog.refresh()

    async def set_credential(self, name: str, key: str, by: UUID) -> Listing:
        """Store a key, encrypted; ProviderNotFound, InvalidArgument, MasterKeyMissing."""
        fits = key.isascii() and key.isprintable() and " " not in key
        if not key or not fits or len(key) > LONGEST_KEY:
            rule = f"must be printable ASCII without spaces, at most {LONGEST_KEY} characters"
            raise InvalidArgument.of("api_key", rule)
        await self._config(name)
        await self._change(name, {"sealed": self.vault.seal(name, key)}, by)
        return await self._now(name)

    async def delete_credential(self, name: str, by: UUID) -> Listing:
        """Forget a stored key; ProviderNotFound."""
        await self._change(name, {"sealed": None}, by)
        return await self._now(name)

    async def rotate(self) -> tuple[int, Sequence[str]]:
        """Encrypt all stored keys with the newest master key; MasterKeyMissing.

        Return how many were, and whose no master key opens.
        """
        if not self.vault.is_open:
            raise MasterKeyMissing
        anew: dict[str, tuple[bytes, bytes]] = {}
        unreadable = []
        for name, config in (await self._configs()).items():
            if config.sealed is None:
                continue
            key = self.vault.unseal(name, config.sealed)
            if key is None:
                unreadable.append(name)
            elif self.vault.is_stale(config.sealed):
                anew[name] = (config.sealed, self.vault.seal(name, key))
        rotated = await self.store.reseal(anew)
        await self.catalog.refresh()
        return rotated, unreadable

    async def refresh_models(self, name: str, *, within: float = ASK_SECONDS) -> Sequence[Model]:
        """Ask a vendor for its models now; ProviderNotFound, ProviderNotReady, its faults."""
        return await self.catalog.models(name, within=within)

    async def change_model(self, name: str, model: str, change: ModelChange) -> Model:
        """Lay something over what is known of a model; ProviderNotFound, InvalidArgument."""
        await self._config(name)
        if not is_name(model):
            raise InvalidArgument.of("model", "must have 1 to 200 characters and no NUL")
        for field in ("context_window", "max_output_tokens"):
            value = getattr(change, field)
            if value is not None and value < 1:
                raise InvalidArgument.of(field, "must be at least 1")
        price = change.price
        if price and min(price.output, *price.rates) < 0:
            raise InvalidArgument.of("price", "must not be negative")
        models = await self.store.overlay(name, model, change)
        await self.catalog.refresh()
        return next(one for one in models if one.name == model)

    async def reset_model(self, name: str, model: str) -> None:
        """Take back what was laid over a model; ProviderNotFound, ModelNotFound."""
        await self._config(name)
        if await self.store.reset(name, model) is None:
            raise ModelNotFound.near(name, model, near(model, self.roster.get(name).models))
        await self.catalog.refresh()

    async def _configs(self) -> dict[str, Config]:
        """Read what is decided, as it is now, whatever this process knew."""
        return dict(await self.store.configs(list(self.roster.plugins.values())))

    async def _config(self, name: str) -> Config:
        config = (await self._configs()).get(name)
        if config is None:
            raise ProviderNotFound(name, near(name, self.roster.entries))
        return config

    async def _change(self, name: str, changes: Mapping[str, Any], by: UUID) -> None:
        if not await self.store.change(name, changes, by=by):
            raise ProviderNotFound(name, near(name, self.roster.entries))

    async def _now(self, name: str) -> Listing:
        """Obey the change in this process, and tell how the provider stands."""
        await self.catalog.refresh()
        entry = self.roster.get(name)
        return listing(entry, is_default=entry.name == self.roster.default())

    def _checked(self, field: str, value: Any) -> Any:
        match field:
            case "base_url":
                return self._checked_address(value)
            case "display_name":
                return checked_name(value)
            case "default_model":
                if value and not is_name(value):
                    raise InvalidArgument.of(field, "must have 1 to 200 characters and no NUL")
                return value or None
            case "fallbacks":
                return self._checked_fallbacks(value)
        return in_range(field, value) if field in RANGES else value

    def _checked_address(self, text: str) -> str | None:
        return check_address(text, private=self.private) if text.strip() else None

    def _checked_fallbacks(self, choices: Sequence[ModelChoice]) -> tuple[str, ...]:
        if len(choices) > MOST_FALLBACKS:
            raise InvalidArgument.of("fallbacks", f"must be at most {MOST_FALLBACKS}")
        for choice in choices:
            self.roster.get(choice.provider)
        return tuple(map(str, choices))


def checked_name(text: str) -> str | None:
    """Return a name for people; None for an empty one; InvalidArgument."""
    name = text.strip()
    if len(name) > LONGEST_NAME or not name.isprintable():
        rule = f"must be at most {LONGEST_NAME} printable characters"
        raise InvalidArgument.of("display_name", rule)
    return name or None


def in_range(field: str, value: int) -> int | None:
    """Return a number within its range; None for undecided; InvalidArgument."""
    least, most, undecided = RANGES[field]
    if not least <= value <= most:
        raise InvalidArgument.of(field, f"must be from {least} to {most}")
    return None if value == undecided else value
