"""What the provider is, and what it needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from parley_provider_sdk import ProviderInfo, setting


@dataclass(frozen=True)
class AcmeSettings:
    api_key: str = setting(
        env="ACME_API_KEY", help="The key, from Acme's console.", secret=True, required=True
    )
    base_url: str = setting(
        env="ACME_BASE_URL", help="Where Acme answers.", default="https://api.acme.example/v1"
    )


INFO = ProviderInfo(
    name="acme",
    display_name="Acme",
    home_page="https://acme.example",
    settings=AcmeSettings,
    capabilities=frozenset({"text", "images", "tools", "reasoning"}),
    # The contract proves that it never blocks; without that the service runs it on a thread.
    shares_loop=True,
)
