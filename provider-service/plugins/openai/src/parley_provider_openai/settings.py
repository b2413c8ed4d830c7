"""What the provider is, and what it needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from parley_provider_sdk import InvalidSettings, ProviderInfo, setting

KEY = "OPENAI_API_KEY"
BASE_URL = "OPENAI_BASE_URL"
WIRE = "OPENAI_WIRE"
_WIRES = ("auto", "chat", "responses")


@dataclass(frozen=True)
class OpenAISettings:
    api_key: str = setting(env=KEY, help="The key. Compatible servers may need none.", secret=True)
    base_url: str = setting(
        env=BASE_URL,
        help="Where the wire is spoken; set it to reach a compatible server.",
        default="https://api.openai.com/v1",
    )
    wire: str = setting(
        env=WIRE,
        help="How replies are asked for: chat, responses, or auto: responses at OpenAI itself.",
        default="auto",
    )

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise InvalidSettings(f"{BASE_URL} is no http or https address.")
        if not (self.api_key.isascii() and self.api_key.isprintable()) or " " in self.api_key:
            raise InvalidSettings(f"{KEY} holds characters that no key has.")
        if self.wire not in _WIRES:
            raise InvalidSettings(f"{WIRE} is none of {', '.join(_WIRES)}.")

    @property
    def is_own(self) -> bool:
        """Says that this is OpenAI itself and no compatible server."""
        host = urlsplit(self.base_url).hostname or ""
        return host == "api.openai.com" or host.endswith(".api.openai.com")

    @property
    def speaks_responses(self) -> bool:
        """Says that replies are asked for at `/responses` and not at `/chat/completions`."""
        return self.is_own if self.wire == "auto" else self.wire == "responses"

    def missing(self) -> tuple[str, ...]:
        """A key is needed at OpenAI itself; whether a compatible server wants one, it will say."""
        return (KEY,) if self.is_own and not self.api_key else ()


INFO = ProviderInfo(
    name="openai",
    display_name="OpenAI",
    home_page="https://platform.openai.com",
    settings=OpenAISettings,
    capabilities=frozenset({"text", "images", "tools", "reasoning", "structured_output"}),
    # Of the newest family in the library's types/shared/chat_model.py, the one of middle price.
    default_model="gpt-6.1-terra",
    shares_loop=True,
    dialect="openai",
)
