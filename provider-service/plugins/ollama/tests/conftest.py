"""A vendor on a real socket for each test, and a provider that talks to it."""

from collections.abc import AsyncIterator

import pytest
from parley_provider_ollama.provider import OllamaProvider
from parley_provider_ollama.settings import OllamaSettings
from parley_tests.ollama_peer import OllamaPeer

KEY = "sk-secret-of-the-tests"


@pytest.fixture
async def wire() -> AsyncIterator[OllamaPeer]:
    """The vendor's wire, to be scripted; `parley_tests.ollama_peer` says where it is from."""
    async with OllamaPeer(api_key=KEY) as peer:
        yield peer


@pytest.fixture
async def provider(wire: OllamaPeer) -> AsyncIterator[OllamaProvider]:
    """A provider that shows the right key."""
    made = OllamaProvider(OllamaSettings(api_key=KEY, base_url=wire.base_url))
    yield made
    await made.aclose()
