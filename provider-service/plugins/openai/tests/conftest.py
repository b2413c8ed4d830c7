"""A vendor on a real socket for each test, and providers that talk to it."""

from collections.abc import AsyncIterator

import openai
import pytest
from parley_provider_openai.provider import OpenAIProvider, create
from parley_provider_openai.settings import OpenAISettings
from parley_tests.openai_peer import OpenAIPeer

KEY = "sk-secret-of-the-tests"


@pytest.fixture
async def wire() -> AsyncIterator[OpenAIPeer]:
    """The vendor's wire, to be scripted; `parley_tests.openai_peer` says where it is from."""
    async with OpenAIPeer(api_key=KEY) as peer:
        yield peer


@pytest.fixture
async def client(wire: OpenAIPeer) -> AsyncIterator[openai.AsyncOpenAI]:
    """The vendor's own client."""
    async with openai.AsyncOpenAI(api_key=KEY, base_url=wire.base_url, max_retries=0) as client:
        yield client


@pytest.fixture(params=["chat", "responses"])
async def provider(
    request: pytest.FixtureRequest, wire: OpenAIPeer
) -> AsyncIterator[OpenAIProvider]:
    """A provider that shows the right key, once on each wire."""
    made = create(OpenAISettings(api_key=KEY, base_url=wire.base_url, wire=request.param))
    yield made
    await made.aclose()


@pytest.fixture
async def chat(wire: OpenAIPeer) -> AsyncIterator[OpenAIProvider]:
    """A provider that speaks `/chat/completions`, as to any compatible server."""
    made = create(OpenAISettings(api_key=KEY, base_url=wire.base_url))
    yield made
    await made.aclose()


@pytest.fixture
async def responses(wire: OpenAIPeer) -> AsyncIterator[OpenAIProvider]:
    """A provider that speaks `/responses`, as to OpenAI itself."""
    made = create(OpenAISettings(api_key=KEY, base_url=wire.base_url, wire="responses"))
    yield made
    await made.aclose()
