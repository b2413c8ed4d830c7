"""How many tokens a request would be charged for."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from dataclasses import replace

import parley_provider_sdk as sdk
from parley_rpc.faults import InvalidArgument

from parley_provider_service.core.attempt import LARGEST_COUNT
from parley_provider_service.core.catalog import ASK_SECONDS, Catalog, nonsense
from parley_provider_service.core.guard import ask
from parley_provider_service.core.model import Owners
from parley_provider_service.core.parameters import check_dialect
from parley_provider_service.core.permission import require_model, require_provider
from parley_provider_service.core.pricing import estimate, input_chars
from parley_provider_service.core.secrecy import of_one


class Counting:
    """Asks the vendor where it counts, and estimates elsewhere."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    async def count(
        self,
        provider: str,
        request: sdk.ReplyRequest,
        *,
        dialect: str = "",
        owners: Owners = (),
        scopes: AbstractSet[str] = frozenset(),
        within: float = ASK_SECONDS,
    ) -> sdk.Usage:
        """Return the input tokens in `within` s.

        ScopeMissing for whom the key may not ask, faults of `Catalog.find`, and the vendor's.
        """
        until = asyncio.get_running_loop().time() + within
        if not request.messages:
            raise InvalidArgument.of("request.messages", "must not be empty")
        model = await self.catalog.find(provider, request.model, within=within)
        require_provider(scopes, model.provider)
        require_model(scopes, model.provider, model.name)
        entry, _ = self.catalog.roster.ready(model.provider)
        check_dialect(entry, request, dialect)
        counter: object = entry.installed.provider
        if not isinstance(counter, sdk.TokenCounter):
            return estimate(input_chars(request), 0)
        asked = replace(of_one(request, owners, model.provider), model=model.name)
        left = min(until - asyncio.get_running_loop().time(), self.catalog.ask_seconds)
        count = await ask(entry.name, lambda: counter.count_tokens(asked), left)
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < LARGEST_COUNT:
            raise nonsense(entry.name)
        return sdk.Usage(count, 0, source=sdk.UsageSource.COUNTED)
