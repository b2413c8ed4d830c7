"""A vendor on a real socket for each test, and a provider that talks to it."""

from collections.abc import AsyncIterator

import pytest
from parley_provider_google.provider import GoogleProvider
from parley_provider_google.settings import GoogleSettings
from parley_provider_sdk.testing import Peer
from parley_tests.google_peer import GoogleDialect

KEY = "AIza-secret-of-the-tests"


@pytest.fixture
async def wire() -> AsyncIterator[Peer]:
    """The vendor's wire, to be scripted; `parley_tests.google_peer` says where it is from."""
    async with Peer(GoogleDialect(), key=KEY) as peer:
        yield peer


@pytest.fixture
async def provider(wire: Peer) -> AsyncIterator[GoogleProvider]:
    """A provider that shows the right key."""
    made = GoogleProvider(GoogleSettings(api_key=KEY, base_url=wire.base_url))
    yield made
    await made.aclose()
