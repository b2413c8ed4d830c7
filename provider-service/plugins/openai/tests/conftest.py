"""A vendor on a real socket for each test, and a provider that talks to it."""

from collections.abc import AsyncIterator

import pytest
from parley_provider_openai.provider import OpenAIProvider
from parley_provider_openai.settings import OpenAISettings
from parley_tests.openai_peer import OpenAIPeer

KEY = "sk-secret-of-the-tests"


@pytest.fixture
async def wire() -> AsyncIterator[OpenAIPeer]:
    """The vendor's wire, to be scripted; `parley_tests.openai_peer` says where it is from."""
    async with OpenAIPeer(api_key=KEY) as peer:
        yield peer


@pytest.fixture
async def provider(wire: OpenAIPeer) -> AsyncIterator[OpenAIProvider]:
    """A provider that shows the right key."""
    made = OpenAIProvider(OpenAISettings(api_key=KEY, base_url=wire.base_url))
    yield made
    await made.aclose()
