"""What the provider is, and what it needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from parley_provider_sdk import InvalidSettings, ProviderInfo, setting

KEY = "GOOGLE_API_KEY"
BASE_URL = "GOOGLE_BASE_URL"


@dataclass(frozen=True)
class GoogleSettings:
    api_key: str = setting(env=KEY, help="The key of a Gemini project.", secret=True, required=True)
    base_url: str = setting(
        env=BASE_URL,
        help="Where the wire is spoken, without the version; set it to reach a proxy.",
        default="https://generativelanguage.googleapis.com",
    )

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise InvalidSettings(f"{BASE_URL} is no http or https address.")
        if not (self.api_key.isascii() and self.api_key.isprintable()) or " " in self.api_key:
            raise InvalidSettings(f"{KEY} holds characters that no key has.")


INFO = ProviderInfo(
    name="google",
    display_name="Google Gemini",
    home_page="https://ai.google.dev",
    settings=GoogleSettings,
    capabilities=frozenset({"text", "images", "tools", "reasoning", "structured_output"}),
    # The vendor's own name for its newest fast model, so that it does not grow old.
    default_model="gemini-flash-latest",
    shares_loop=True,
)
