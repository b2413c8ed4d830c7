"""What administrators may call models: effective here at once, elsewhere within seconds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from parley_rpc.faults import InvalidArgument

from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.faults import AliasNotFound
from parley_provider_service.core.model import ModelChoice
from parley_provider_service.core.naming import Alias
from parley_provider_service.core.ports import CatalogStore
from parley_provider_service.core.rules import NAME_CHARACTERS, is_name

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


class Aliases:
    """Lists them as this process knows them, and changes them in somebody's name."""

    def __init__(self, catalog: Catalog, store: CatalogStore) -> None:
        self.catalog = catalog
        self.store = store

    def listed(self) -> Sequence[Alias]:
        """Return all by name."""
        return sorted(self.catalog.names.aliases.values(), key=lambda alias: alias.name)

    async def change(self, name: str, meaning: ModelChoice, by: UUID) -> Alias:
        """Let a name mean a model from now on; InvalidArgument, ProviderNotFound."""
        if not NAME.fullmatch(name):
            raise InvalidArgument.of("alias", f"must match {NAME.pattern}")
        if not is_name(meaning.model or "any"):
            rule = f"must have at most {NAME_CHARACTERS} characters and no NUL"
            raise InvalidArgument.of("model", rule)
        if meaning.provider not in self.catalog.roster.entries:
            await self.catalog.refresh()  # another process may have added it a moment ago
        self.catalog.roster.get(meaning.provider)
        alias = await self.store.set_alias(name, meaning, by=by)
        await self.catalog.refresh()
        return alias

    async def remove(self, name: str) -> None:
        """Take a name away; AliasNotFound."""
        if not (NAME.fullmatch(name) and await self.store.remove_alias(name)):
            raise AliasNotFound(name)
        await self.catalog.refresh()
