"""Shipped plugins, pointed to inner places by an administrator, ask nothing there (F16-F18)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.adapters.plugins import load
from parley_provider_service.adapters.secrets import Secrets
from parley_provider_service.core.model import Installed, Wish

pytestmark = pytest.mark.unit

REQUEST = sdk.ReplyRequest("model", [sdk.Message(sdk.Role.USER, [sdk.TextPart("Hi")])])
# Every plugin of ours that speaks with somebody.
PLUGINS = entry_points(group=sdk.ENTRY_POINT_GROUP)
SPEAKING = sorted(one.name for one in PLUGINS if one.name != "demo")
REDIRECT = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:%d/inner\r\ncontent-length: 0\r\n\r\n"


class Inside:
    """A server of ours that no vendor's plugin should reach."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.paths: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.paths.append(head.split(b" ")[1])
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                writer.write(REDIRECT % self.port)
                await writer.drain()
        writer.close()


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    inside = Inside()
    server = await asyncio.start_server(inside.serve, "127.0.0.1", 0)
    inside.port = server.sockets[0].getsockname()[1]
    yield inside
    server.close()


def pointed(kind: str, base_url: str, *, private: bool) -> sdk.Provider:
    """Point a plugin somewhere, as an administrator does."""
    plugin = shipped(Secrets({}, private))[kind]
    assert plugin.configure
    wish = Wish("mine", base_url=base_url, api_key="sk-a-vendors-key")
    provider = plugin.configure(wish).provider
    assert provider
    return provider


def shipped(secrets: Secrets) -> dict[str, Installed]:
    found = load(PLUGINS, secrets)
    return {one.name: one for one in found}


def questions(provider: sdk.Provider) -> list[Callable[[], Coroutine[Any, Any, object]]]:
    """Everything that a provider may be asked."""
    asked: Any = provider

    async def reply() -> object:
        return [event async for event in provider.chat_completion(REQUEST)]

    async def vectors() -> object:
        return await asked.embed(sdk.EmbeddingRequest("model", ["text"]))

    found = [reply, provider.list_models]
    if hasattr(provider, "count_tokens"):
        found.append(lambda: asked.count_tokens(REQUEST))
    if hasattr(provider, "embed"):
        found.append(vectors)
    return found


async def refused(provider: sdk.Provider) -> None:
    for question in questions(provider):
        with pytest.raises(sdk.ProviderError):
            await question()
    assert not (await provider.health_check()).healthy
    await provider.aclose()


@pytest.mark.parametrize("kind", SPEAKING)
async def test_a_name_that_leads_inside_is_connected_to_only_where_that_is_allowed(
    kind: str, inside: Inside
) -> None:
    url = f"http://localhost:{inside.port}"

    await refused(pointed(kind, url, private=False))
    forbidden = inside.connections
    await refused(pointed(kind, url, private=True))

    assert 0 == forbidden
    assert inside.connections > 0


@pytest.mark.parametrize("kind", SPEAKING)
async def test_a_redirect_is_not_followed(kind: str, inside: Inside) -> None:
    await refused(pointed(kind, f"http://127.0.0.1:{inside.port}", private=True))

    assert len(inside.paths) >= 3
    assert b"/inner" not in inside.paths


async def test_what_the_operator_set_may_lead_inside(inside: Inside) -> None:
    environment = {
        f"{name.upper()}_BASE_URL": f"http://127.0.0.1:{inside.port}" for name in SPEAKING
    }
    keys = {f"{name.upper()}_API_KEY": "sk-a-vendors-key" for name in SPEAKING}
    found = shipped(Secrets(environment | keys, private=False))
    for name in SPEAKING:
        provider = found[name].provider
        assert provider
        await refused(provider)

    assert inside.connections >= len(SPEAKING)
