"""What a provider says of itself: its models, its health."""

# ruff: noqa: S101  (these are tests)

from __future__ import annotations

from parley_provider_sdk.provider import Provider
from parley_provider_sdk.testing.checks.bench import Bench
from parley_provider_sdk.testing.report import Rung, check
from parley_provider_sdk.testing.vendor import ScriptedVendor
from parley_provider_sdk.types import Health, ModelInfo

__all__ = ["Catalog"]


class Catalog(Bench):
    """It can be listed."""

    @check(
        Rung.BRONZE,
        "Users cannot choose a model, or choose between two that are the same.",
        "Return a ModelInfo for each model that the vendor lists, each name once, exactly as it.",
    )
    async def test_models_include_ours(self, provider: Provider, peer: ScriptedVendor) -> None:
        peer.says(())
        models = await self.answer(provider.list_models(), "list_models")
        assert [one for one in models if not isinstance(one, ModelInfo)] == []
        names = [model.name for model in models]
        assert self.model in names
        assert "" not in names
        assert len(names) == len(set(names))

    @check(
        Rung.BRONZE,
        "A provider that works is shown as one that does not.",
        "Return Health(healthy=True) when the vendor answers and takes the key.",
    )
    async def test_health_is_good(self, provider: Provider, peer: ScriptedVendor) -> None:
        peer.says(())
        health = await self.answer(provider.health_check(), "health_check")
        assert isinstance(health, Health)
        assert health.healthy, health.detail
