"""What the provider is, and what it needs to know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from parley_provider_sdk import InvalidSettings, ProviderInfo, setting

KEY = "OLLAMA_API_KEY"
BASE_URL = "OLLAMA_BASE_URL"
NUM_CTX = "OLLAMA_NUM_CTX"
KEEP_ALIVE = "OLLAMA_KEEP_ALIVE"

# Seconds, or a length of time as the server reads it; a negative one means for ever.
_SECONDS = re.compile(r"-?\d+")
_LENGTH = re.compile(r"-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+")


@dataclass(frozen=True)
class OllamaSettings:
    base_url: str = setting(
        env=BASE_URL, help="Where Ollama listens.", default="http://localhost:11434"
    )
    api_key: str = setting(env=KEY, help="The key, where a proxy or a host wants one.", secret=True)
    num_ctx: int = setting(
        env=NUM_CTX,
        help="Tokens of context that a model gets at most; 0 for as many as a chat needs.",
        default=0,
    )
    keep_alive: str = setting(
        env=KEEP_ALIVE, help="How long a model stays loaded: 5m, 1h, -1; empty: the server's."
    )

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise InvalidSettings(f"{BASE_URL} is no http or https address.")
        if not (self.api_key.isascii() and self.api_key.isprintable()) or " " in self.api_key:
            raise InvalidSettings(f"{KEY} holds characters that no key has.")
        if self.num_ctx < 0:
            raise InvalidSettings(f"{NUM_CTX} is below 0.")
        if self.keep_alive and not (
            _SECONDS.fullmatch(self.keep_alive) or _LENGTH.fullmatch(self.keep_alive)
        ):
            raise InvalidSettings(f"{KEEP_ALIVE} is no length of time, such as 5m.")

    @property
    def address(self) -> str:
        """The base URL without what people paste along with it: its paths all begin with /api."""
        return self.base_url.rstrip("/").removesuffix("/api").removesuffix("/v1").rstrip("/")

    @property
    def advice(self) -> str:
        """What to do when nobody answers. Leaves out what an address may hold besides its place."""
        url = urlsplit(self.base_url)
        place = url.netloc.rpartition("@")[2]
        return f"Start Ollama with `ollama serve`, or check its base URL, {url.scheme}://{place}."

    @property
    def kept(self) -> str | int | None:
        """How long a model stays loaded, in the form of the wire; None leaves it to the server."""
        seconds = _SECONDS.fullmatch(self.keep_alive)
        return int(self.keep_alive) if seconds else self.keep_alive or None


INFO = ProviderInfo(
    name="ollama",
    display_name="Ollama",
    home_page="https://ollama.com",
    settings=OllamaSettings,
    capabilities=frozenset({"text", "images", "tools", "reasoning", "structured_output"}),
    free=True,
    detected=True,
    shares_loop=True,
    # A large model takes minutes to load.
    first_token_seconds=300.0,
)
