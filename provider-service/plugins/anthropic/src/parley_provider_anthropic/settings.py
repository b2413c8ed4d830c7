"""What the provider is, and what it needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from parley_provider_sdk import InvalidSettings, ProviderInfo, setting

KEY = "ANTHROPIC_API_KEY"
BASE_URL = "ANTHROPIC_BASE_URL"
OWN_HOST = "api.anthropic.com"


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
        default=f"https://{OWN_HOST}",
    )

    def __post_init__(self) -> None:
        if not _is_address(self.base_url):
            raise InvalidSettings(f"{BASE_URL} is no http or https address.")
        if not (self.api_key.isascii() and self.api_key.isprintable()) or " " in self.api_key:
            raise InvalidSettings(f"{KEY} holds characters that no key has.")

    @property
    def address(self) -> str:
        """The address without the version of the wire, which some write and some do not."""
        return self.base_url.rstrip("/").removesuffix("/v1")

    @property
    def origin(self) -> str:
        """The server's name and port, alike for all of Anthropic's own."""
        url = urlsplit(self.base_url)
        host = url.hostname or ""
        if host == OWN_HOST or host.endswith(f".{OWN_HOST}"):
            return OWN_HOST
        return f"{host}:{url.port}" if url.port else host


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False


INFO = ProviderInfo(
    name="anthropic",
    display_name="Anthropic",
    home_page="https://www.anthropic.com",
    settings=AnthropicSettings,
    capabilities=frozenset({"text", "images", "tools", "reasoning", "structured_output"}),
    default_model="claude-sonnet-5-5",
    shares_loop=True,
    dialect="anthropic",
)
