"""Prices and context windows from `genai-prices`: data in a package, no network."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from parley_provider_service.core.model import Facts, Price
from parley_provider_service.core.ports import Prices

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot

NANO_PER_USD = 10**9
# The list has one price of what is written to a cache, which is that of a short stay. A long one
# costs twice the input wherever a vendor has both.
LONG_WRITE = 2


class GenAIPrices(Prices):
    """Looks models up by their vendor's address, else by the provider's name.

    The data costs half a second and 20 MB, so it is loaded in a thread when the first model that
    is not free is asked about. Prices that rise with the length of the input count as they begin.
    """

    @override
    async def facts(
        self, provider: str, base_url: str, models: Sequence[str]
    ) -> Mapping[str, Facts]:
        return await asyncio.to_thread(self._facts, provider, base_url, models)

    @cached_property
    def _snapshot(self) -> DataSnapshot:
        snapshot: DataSnapshot = importlib.import_module(
            "genai_prices.data_snapshot"
        ).get_snapshot()
        return snapshot

    @cached_property
    def _version(self) -> str:
        return f"genai-prices {version('genai-prices')}"

    def _facts(self, provider: str, base_url: str, models: Sequence[str]) -> dict[str, Facts]:
        vendor = self._vendor(provider, base_url)
        found = {}
        for name in models if vendor else ():
            model = vendor.find_model(name.lower(), all_providers=self._snapshot.providers)
            if model is not None:
                found[name] = Facts(model.context_window or 0, self._price(model))
        return found

    def _vendor(self, provider: str, base_url: str) -> Any:
        vendors = self._snapshot.providers
        by_address = (one for one in vendors if base_url and re.match(one.api_pattern, base_url))
        by_name = (one for one in vendors if one.id == provider)
        return next(by_address, None) or next(by_name, None)

    def _price(self, model: Any) -> Price | None:
        prices = model.get_prices(datetime.now(UTC))
        given, made = rate(prices.input_mtok), rate(prices.output_mtok)
        if given is None or made is None:
            return None
        write = rate(prices.cache_write_mtok)
        lasting = None if write is None else max(write, LONG_WRITE * given)
        return Price(given, made, rate(prices.cache_read_mtok), self._version, write, lasting)


def rate(price: Any) -> int | None:
    """Return dollars for a million tokens as nano-dollars; of a price in steps, the first."""
    dollars: Decimal | None = getattr(price, "base", price)
    if dollars is None:
        return None
    return int((dollars * NANO_PER_USD).to_integral_value(ROUND_HALF_UP))
