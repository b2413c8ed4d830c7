"""What the demo provider is, and the one thing about it that can be set."""

from __future__ import annotations

from dataclasses import dataclass

from parley_provider_sdk import ProviderInfo, setting


@dataclass(frozen=True)
class DemoSettings:
    pace: float = setting(
        env="DEMO_PACE", help="Words per second; 0 means as fast as it can.", default=50.0
    )


INFO = ProviderInfo(
    name="demo",
    display_name="Demo",
    home_page="",
    settings=DemoSettings,
    capabilities=frozenset({"text", "reasoning"}),
    free=True,
    default_model="demo",
    stand_in=True,
    shares_loop=True,
)
