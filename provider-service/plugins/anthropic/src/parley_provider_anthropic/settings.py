"""What the provider is, and what it needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from parley_provider_sdk import InvalidSettings, ProviderInfo, setting

KEY = "ANTHROPIC_API_KEY"
BASE_URL = "ANTHROPIC_BASE_URL"


@dataclass(frozen=True)
class AnthropicSettings:
    api_key: str = setting(
        env=KEY,
        help="The key. A compatible server that needs none takes any text.",
        secret=True,
        required=True,
    )
    base_url: str = setting(
        env=BASE_URL,
        help="Where the wire is spoken; set it to reach a compatible server.",
        default="https://api.anthropic.com",
    )

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise InvalidSettings(f"{BASE_URL} is no http or https address.")
        if not (self.api_key.isascii() and self.api_key.isprintable()) or " " in self.api_key:
            raise InvalidSettings(f"{KEY} holds characters that no key has.")

    @property
    def address(self) -> str:
        """The address without the version of the wire, which some write and some do not."""
        return self.base_url.rstrip("/").removesuffix("/v1")

    @property
    def is_own(self) -> bool:
        """Says that this is Anthropic itself and no compatible server."""
        host = urlsplit(self.base_url).hostname or ""
        return host == "api.anthropic.com" or host.endswith(".api.anthropic.com")


INFO = ProviderInfo(
    name="anthropic",
    display_name="Anthropic",
    home_page="https://www.anthropic.com",
    settings=AnthropicSettings,
    capabilities=frozenset({"text", "images", "tools", "reasoning", "structured_output"}),
    default_model="claude-sonnet-5-5",
    shares_loop=True,
)
