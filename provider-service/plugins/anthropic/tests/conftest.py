"""A vendor on a real socket for each test, and a provider that talks to it."""

from collections.abc import AsyncIterator

import pytest
from parley_provider_anthropic.provider import AnthropicProvider
from parley_provider_anthropic.settings import AnthropicSettings
from parley_provider_sdk.testing import Peer
from parley_tests.anthropic_peer import AnthropicDialect

KEY = "sk-ant-secret-of-the-tests"


@pytest.fixture
async def wire() -> AsyncIterator[Peer]:
    """The vendor's wire, to be scripted; `parley_tests.anthropic_peer` says where it is from."""
    async with Peer(AnthropicDialect(), key=KEY) as peer:
        yield peer


@pytest.fixture
async def provider(wire: Peer) -> AsyncIterator[AnthropicProvider]:
    """A provider that shows the right key."""
    made = AnthropicProvider(AnthropicSettings(api_key=KEY, base_url=wire.base_url))
    yield made
    await made.aclose()
